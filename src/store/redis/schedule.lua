-- The tracked exports. The rows hold times of the clock of Redis. Callers send and get times of
-- their own clock, and the script shifts them, so that the clocks of replicas need not agree.
-- KEYS: due (sorted set of keys by due time), rows (hash of JSON by key)
-- ARGV: op, the caller's clock in ms, 'caller' to use that clock alone, then the values of the op
for index, kind in ipairs({ 'zset', 'hash' }) do
  local found = redis.call('TYPE', KEYS[index]).ok
  if found ~= kind and found ~= 'none' then
    -- Neither key is of use without the other, so both are removed.
    redis.call('DEL', KEYS[1], KEYS[2])
    return redis.error_reply('FOREIGN the script removed a value that no gateway has written')
  end
end

local op, theirs = ARGV[1], tonumber(ARGV[2])
local function redisNow()
  if ARGV[3] == 'caller' then return theirs end
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
local now = redisNow()
local shift = now - theirs
local STRENGTH = { watched = 0, started = 1, pending = 2 }
local NUMBERS = { 'dueAt', 'intervalMs', 'misses', 'failures', 'firstSeenAt', 'watchedUntil' }

local function isNumber(value)
  return type(value) == 'number' and value > -1e15 and value < 1e15
end

-- Checks each field, because a value that another program wrote must not stop the script.
local function rowFrom(text)
  if not text or #text > 1024 then return nil end
  local ok, found = pcall(cjson.decode, text)
  if not ok or type(found) ~= 'table' then return nil end
  local row = {}
  for _, name in ipairs(NUMBERS) do
    if not isNumber(found[name]) then return nil end
    row[name] = found[name]
  end
  if type(found.origin) ~= 'string' or not STRENGTH[found.origin] then return nil end
  row.origin = found.origin
  if type(found.token) == 'string' then row.token = found.token end
  if isNumber(found.hastenMs) then row.hastenMs = found.hastenMs end
  return row
end
-- A row without a due time would never be claimed. It counts as missing, so it is tracked again.
local function read(key)
  if not redis.call('ZSCORE', KEYS[1], key) then return nil end
  return rowFrom(redis.call('HGET', KEYS[2], key))
end
local function write(key, row)
  redis.call('HSET', KEYS[2], key, cjson.encode(row))
  redis.call('ZADD', KEYS[1], string.format('%.0f', row.dueAt), key)
end
local function drop(key)
  redis.call('ZREM', KEYS[1], key)
  return redis.call('HDEL', KEYS[2], key)
end
local function merge(row, kept)
  if STRENGTH[kept.origin] > STRENGTH[row.origin] then row.origin = kept.origin end
  row.firstSeenAt = math.min(kept.firstSeenAt, row.firstSeenAt)
  row.watchedUntil = math.max(kept.watchedUntil, row.watchedUntil)
end
-- Shifts the times of a row to the clock of Redis (way 1), or back to the caller's clock (way -1).
-- A `watchedUntil` of 0 is no time: it says that nobody watches.
local function shifted(row, way)
  row.dueAt, row.firstSeenAt = row.dueAt + way * shift, row.firstSeenAt + way * shift
  if row.watchedUntil > 0 then row.watchedUntil = row.watchedUntil + way * shift end
  return row
end

if op == 'track' then
  local key, row = ARGV[4], shifted(cjson.decode(ARGV[5]), 1)
  local kept = read(key)
  if kept then merge(row, kept) end
  write(key, row)
  return 1
end

if op == 'restore' then
  -- ARGV[6]: 'changed' when the replica has learnt more while Redis was away
  -- ARGV[7]: the token of a claim whose look has ended meanwhile
  local key, row = ARGV[4], shifted(cjson.decode(ARGV[5]), 1)
  local kept = read(key)
  if kept and ARGV[6] ~= 'changed' then return 0 end
  if kept then
    merge(row, kept)
    -- A replica has claimed the export since then. It looks at it anyway, so its claim stays.
    if kept.token and kept.token ~= ARGV[7] then
      row.dueAt, row.token, row.hastenMs = kept.dueAt, kept.token, kept.hastenMs
    elseif not kept.token then
      row.dueAt = math.min(kept.dueAt, row.dueAt)
    end
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
      -- The replica that looks at the export now does not know yet that somebody watches. Its
      -- reschedule applies `hastenMs`.
      if dueBy and row.token then
        row.hastenMs = math.max(0, math.min(row.hastenMs or math.huge, dueBy + shift - now))
      end
      write(ARGV[index], row)
    end
  end
  return 1
end

if op == 'claim' then
  local limit, visibleAt, prefix = tonumber(ARGV[4]), now + tonumber(ARGV[5]), ARGV[6]
  -- Redis, or the way to it, was stopped. Nobody waits for this claim any more.
  if ARGV[7] ~= '' and now > tonumber(ARGV[7]) then return { '', {}, now } end
  local due = {}
  -- The script takes the thousand that have been due for longest. They are enough to choose from,
  -- and Redis is not blocked for long.
  for _, key in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, 1000)) do
    local isKey = #key <= 256 and string.match(key, '^[^/]+/cam_%w+/%l%l%l_%w+$')
    local row = isKey and read(key)
    if row then due[#due + 1] = { key, row } else drop(key) end
  end
  table.sort(due, function(a, b)
    return a[2].dueAt + a[2].intervalMs < b[2].dueAt + b[2].intervalMs
  end)
  local claims = {}
  for index = 1, math.min(limit, #due) do
    local key, row = due[index][1], due[index][2]
    row.token, row.hastenMs = prefix .. ':' .. index, nil
    claims[#claims + 1] = { key, cjson.encode(shifted(rowFrom(cjson.encode(row)), -1)) }
    row.dueAt = visibleAt
    write(key, row)
  end
  local nextDueAt = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')[2]
  return { nextDueAt and string.format('%.0f', tonumber(nextDueAt) - shift) or '', claims, now }
end

local key, row = ARGV[4], read(ARGV[4])
if op == 'find' then
  if not row then return false end
  row.token = nil
  return cjson.encode(shifted(row, -1))
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
