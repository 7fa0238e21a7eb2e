-- The tracked exports. Times in the rows are of Redis; callers send and get theirs, shifted by the
-- difference of the clocks, so that replicas need not agree about the time.
-- KEYS: due (sorted set of keys by due time), rows (hash of JSON by key)
-- ARGV: op, the caller's clock in ms, 'caller' to use that clock alone, then what the op needs
local op, theirs = ARGV[1], tonumber(ARGV[2])
local function redisNow()
  if ARGV[3] == 'caller' then return theirs end
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
local now = redisNow()
local shift = now - theirs
local STRENGTH = { watched = 0, started = 1, pending = 2 }

local function read(key)
  local text = redis.call('HGET', KEYS[2], key)
  if not text then return nil end
  local ok, row = pcall(cjson.decode, text)
  if not ok or type(row) ~= 'table' or type(row.dueAt) ~= 'number' then return nil end
  return row
end
local function write(key, row)
  redis.call('HSET', KEYS[2], key, cjson.encode(row))
  redis.call('ZADD', KEYS[1], string.format('%.0f', row.dueAt), key)
end
local function drop(key)
  redis.call('ZREM', KEYS[1], key)
  return redis.call('HDEL', KEYS[2], key)
end
local function atLeastZero(time) if time > 0 then return time + shift end return 0 end

if op == 'track' or op == 'restore' then
  local key, row = ARGV[4], cjson.decode(ARGV[5])
  row.dueAt, row.firstSeenAt = row.dueAt + shift, row.firstSeenAt + shift
  row.watchedUntil = atLeastZero(row.watchedUntil)
  local kept = read(key)
  if kept and op == 'restore' then return 0 end
  if kept then
    if STRENGTH[kept.origin] > STRENGTH[row.origin] then row.origin = kept.origin end
    row.firstSeenAt = math.min(kept.firstSeenAt, row.firstSeenAt)
    row.watchedUntil = math.max(kept.watchedUntil, row.watchedUntil)
  end
  write(key, row)
  return 1
end

if op == 'watch' then
  local untilMs, dueBy = tonumber(ARGV[4]) + shift, tonumber(ARGV[5])
  for index = 6, #ARGV do
    local row = read(ARGV[index])
    if row then
      row.watchedUntil = math.max(row.watchedUntil, untilMs)
      if dueBy and not row.token then row.dueAt = math.min(row.dueAt, dueBy + shift) end
      -- Whoever looks at it now does not know yet that somebody watches: told at his reschedule.
      if dueBy and row.token then row.hastenMs = math.max(0, dueBy + shift - now) end
      write(ARGV[index], row)
    end
  end
  return 1
end

if op == 'claim' then
  local limit, visibleAt = tonumber(ARGV[4]), now + tonumber(ARGV[5])
  local due = {}
  -- The oldest thousand: enough to choose from, and never a long stop for everybody else.
  for _, key in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, 1000)) do
    local row = read(key)
    if row then due[#due + 1] = { key, row } else drop(key) end
  end
  table.sort(due, function(a, b)
    return a[2].dueAt + a[2].intervalMs < b[2].dueAt + b[2].intervalMs
  end)
  local claims = {}
  for index = 1, math.min(limit, #due) do
    local key, row = due[index][1], due[index][2]
    local told = cjson.decode(cjson.encode(row))
    told.token = ARGV[5 + index]
    told.dueAt, told.firstSeenAt = row.dueAt - shift, row.firstSeenAt - shift
    if row.watchedUntil > 0 then told.watchedUntil = row.watchedUntil - shift end
    claims[#claims + 1] = { key, cjson.encode(told) }
    row.token, row.dueAt = told.token, visibleAt
    write(key, row)
  end
  local first = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
  local score = first[2]
  -- RESP3 pairs them.
  if type(first[1]) == 'table' then score = first[1][2] end
  local nextDueAt = ''
  if score then nextDueAt = string.format('%.0f', tonumber(score) - shift) end
  return { nextDueAt, claims }
end

local key, row = ARGV[4], read(ARGV[4])
if op == 'find' then
  if not row then return false end
  row.token = nil
  row.dueAt, row.firstSeenAt = row.dueAt - shift, row.firstSeenAt - shift
  if row.watchedUntil > 0 then row.watchedUntil = row.watchedUntil - shift end
  return cjson.encode(row)
end
if op == 'reschedule' then
  if not row or row.token ~= ARGV[5] then return 0 end
  for name, value in pairs(cjson.decode(ARGV[6])) do row[name] = value end
  row.dueAt, row.token = row.dueAt + shift, nil
  if row.hastenMs then row.dueAt = math.min(row.dueAt, now + row.hastenMs) end
  row.hastenMs = nil
  write(key, row)
  return 1
end
if op == 'untrack' then
  if ARGV[5] ~= '' and (not row or row.token ~= ARGV[5]) then return 0 end
  return drop(key)
end
return redis.error_reply('unknown op')
