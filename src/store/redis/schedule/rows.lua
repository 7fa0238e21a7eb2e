-- The tracked exports. All scripts of the schedule begin with this file.
-- The rows hold times of the clock of Redis. Callers send and get times of their own clock, and the
-- scripts shift them, so that the clocks of replicas need not agree.
-- KEYS: 1 rows (hash of JSON by export)
--       2 to 4 the queues watched, idle, unconfirmed (sorted sets of exports: by due time those that
--       no claim has seen due yet, and in front of them the due ones, see claim.lua)
--       5 watchers (sorted set of replicas by the time until which each of them counts as watching)
--       6 the exports that the calling replica watches (set)
-- ARGV: 1 the caller's clock in ms, 2 'caller' to use that clock alone, or how far the clock of Redis
--       was ahead of it lately, in ms, or '', 3 the calling replica, then the values of the script
local TYPES = { 'hash', 'zset', 'zset', 'zset', 'zset', 'set' }
for index, kind in ipairs(TYPES) do
  local found = redis.call('TYPE', KEYS[index]).ok
  if found ~= kind and found ~= 'none' then
    -- The rows and the queues are of no use without each other, so all of them are removed.
    if index <= 4 then redis.call('DEL', KEYS[1], KEYS[2], KEYS[3], KEYS[4]) else redis.call('DEL', KEYS[index]) end
    return redis.error_reply('FOREIGN the script removed a value that no gateway has written')
  end
end

local theirs, me = tonumber(ARGV[1]), ARGV[3]
local function redisNow()
  if ARGV[2] == 'caller' then return theirs end
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
local now = redisNow()
local shift = now - theirs
-- The way to Redis is part of this shift, so it differs from call to call. The one that the caller gives
-- does not, unless one of the clocks was set meanwhile. It is for the times that callers show.
local given = tonumber(ARGV[2])
local steady = given and math.abs(shift - given) < 5000 and given or shift
local QUEUES = { watched = KEYS[2], idle = KEYS[3], unconfirmed = KEYS[4] }
local STRENGTH = { watched = 0, started = 1, pending = 2 }
local NUMBERS = { 'dueAt', 'intervalMs', 'misses', 'failures', 'agedLooks', 'firstSeenAt' }

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
  if type(found.queue) == 'string' and QUEUES[found.queue] then row.queue = found.queue end
  if type(found.token) == 'string' then row.token = found.token end
  if isNumber(found.hastenMs) then row.hastenMs = found.hastenMs end
  -- A row of an older version does not say when the last look was.
  row.lookedAt = isNumber(found.lookedAt) and found.lookedAt or row.dueAt - row.intervalMs
  return row
end

-- A row without a due time would never be claimed. It counts as missing, so it is tracked again.
local function read(key)
  local row = rowFrom(redis.call('HGET', KEYS[1], key))
  if not row or not row.queue or not redis.call('ZSCORE', QUEUES[row.queue], key) then return nil end
  return row
end

-- The list of a campaign (sorted set of exports by the time when they were first seen) and the id of
-- the export in it. Nothing for a key that no gateway has written.
local function listOf(key)
  local campaign, id = string.match(key, '^[^/]+/(cam_%w+)/(%l%l%l_%w+)$')
  if campaign then return string.sub(KEYS[1], 1, -5) .. 'campaign:' .. campaign, id end
end

-- Without a list an export is followed all the same. So a value that another program has put there
-- stops nothing.
local function enlist(key, row)
  local list, id = listOf(key)
  if not list then return end
  local kind = redis.call('TYPE', list).ok
  if kind ~= 'zset' and kind ~= 'none' then redis.call('DEL', list) end
  redis.call('ZADD', list, string.format('%.0f', row.firstSeenAt), id)
  redis.call('PEXPIRE', list, 86400000)
end

local function drop(key)
  for _, queue in pairs(QUEUES) do redis.call('ZREM', queue, key) end
  local list, id = listOf(key)
  if list then redis.pcall('ZREM', list, id) end
  return redis.call('HDEL', KEYS[1], key)
end

-- The names of the sets of all replicas that count as watching. Each is KEYS[6] with that replica
-- in place of the calling one.
local watchSets
local function isWatched(key)
  if not watchSets then
    watchSets = {}
    local base = string.sub(KEYS[6], 1, #KEYS[6] - #me)
    for _, replica in ipairs(redis.call('ZRANGEBYSCORE', KEYS[5], now, '+inf', 'LIMIT', 0, 200)) do
      watchSets[#watchSets + 1] = base .. replica
    end
  end
  for _, set in ipairs(watchSets) do
    if redis.pcall('SISMEMBER', set, key) == 1 then return true end
  end
  return false
end

local function isUnconfirmed(row) return row.origin == 'watched' end

local function queueOf(key, row)
  if isUnconfirmed(row) then return 'unconfirmed' end
  return isWatched(key) and 'watched' or 'idle'
end

local function write(key, row)
  local queue = queueOf(key, row)
  if row.queue and row.queue ~= queue then redis.call('ZREM', QUEUES[row.queue], key) end
  row.queue = queue
  redis.call('HSET', KEYS[1], key, cjson.encode(row))
  redis.call('ZADD', QUEUES[queue], string.format('%.0f', row.dueAt), key)
  if queue ~= 'unconfirmed' then enlist(key, row) end
end

-- Shifts the times of a row to the clock of Redis (way 1), or back to the caller's clock (way -1).
local function shifted(row, way)
  row.dueAt, row.lookedAt = row.dueAt + way * shift, row.lookedAt + way * shift
  row.firstSeenAt = row.firstSeenAt + way * steady
  return row
end

-- Copies into a new row what stays of the row that it replaces.
local function merge(row, kept)
  if STRENGTH[kept.origin] > STRENGTH[row.origin] then row.origin = kept.origin end
  row.firstSeenAt, row.queue = math.min(kept.firstSeenAt, row.firstSeenAt), kept.queue
end

-- Moves a due time forward. The replica that looks at a claimed export now does not know yet that
-- somebody watches. Its reschedule applies `hastenMs`: the look that is under way counts, so the
-- next one follows no sooner than `intervalMs`, the interval of a watched export, after its answer.
local function hasten(row, dueBy, intervalMs)
  if not dueBy then return end
  if row.token then
    row.hastenMs = math.min(row.hastenMs or math.huge, math.max(intervalMs, dueBy - now))
  else
    row.dueAt = math.min(row.dueAt, dueBy)
  end
end

-- Removes the replicas that count as watching no more. When the clock of Redis was set back, a dead
-- replica would count as watching for hours. The name of a replica ends with the ms for which it
-- counts. A replica of an older version has no such name, and counts like the calling one.
local function removeAbsent(watchMs)
  redis.call('ZREMRANGEBYSCORE', KEYS[5], '-inf', now - 1)
  local far = redis.call('ZRANGEBYSCORE', KEYS[5], now + 60000, '+inf', 'WITHSCORES', 'LIMIT', 0, 200)
  for index = 1, #far, 2 do
    local theirMs = tonumber(string.match(far[index], '%.(%d+)$')) or watchMs
    if tonumber(far[index + 1]) > now + theirMs + 60000 then redis.call('ZREM', KEYS[5], far[index]) end
  end
end

-- Notes that the calling replica counts as watching for `watchMs` from now on, and that it watches
-- the exports ARGV[first], ARGV[first + step] and so on.
local function attend(watchMs, first, step)
  local wasUntil = tonumber(redis.call('ZSCORE', KEYS[5], me) or '')
  redis.call('ZADD', KEYS[5], now + watchMs, me)
  -- The other replicas took its exports for unwatched, and may have dropped rows. The empty set
  -- tells the next renewal that all of them are lost.
  if not wasUntil or wasUntil < now then redis.call('DEL', KEYS[6]) end
  for index = first or #ARGV + 1, #ARGV, step or 1 do redis.call('SADD', KEYS[6], ARGV[index]) end
  -- Another replica may count for longer. Its attendance must not expire with this one's.
  if redis.call('PTTL', KEYS[5]) < 2 * watchMs then redis.call('PEXPIRE', KEYS[5], 2 * watchMs) end
  redis.call('PEXPIRE', KEYS[6], 2 * watchMs)
  removeAbsent(watchMs)
  watchSets = nil
end
