-- Claims the due exports of each class, those that were looked at longest ago first. Returns the time
-- when the next export is due, or '', then {export, row} of each claim, and the time of Redis.
-- ARGV: 4 to 6 the most claims of the classes watched, idle, unconfirmed, 7 ms for which a claim
--       holds, 8 the beginning of the tokens, 9 the time (of Redis) after which nobody waits for
--       these claims any more, or '', 10 the farthest that a due time may lie ahead, in ms
local visibleAt, prefix, aheadMs = now + tonumber(ARGV[7]), ARGV[8], tonumber(ARGV[10])
-- Redis, or the way to it, was stopped. Nobody waits for these claims any more.
if ARGV[9] ~= '' and now > tonumber(ARGV[9]) then return { '', {}, now } end

-- Each step of the script reads at most so many rows of a class, so that Redis is not blocked for long.
-- The next claim goes on, so of thousands that become due at once the longest overdue take part first.
local MOST = 500
-- A due export has a score so far below its last look that it comes before all that are not due.
local FRONT = 1e15
local claims = {}
local nextDueAt

-- When the clock of Redis was set back, due times from before may lie hours ahead. Such exports are
-- made due now.
local function mendClock(queue)
  local ahead = string.format('(%.0f', now + aheadMs)
  for _, key in ipairs(redis.call('ZRANGEBYSCORE', queue, ahead, '+inf', 'LIMIT', 0, MOST)) do
    local row = read(key)
    if row then
      row.dueAt, row.lookedAt = now, math.min(row.lookedAt, now)
      write(key, row)
    else
      drop(key)
    end
  end
end

local function isExport(key) return #key <= 256 and string.match(key, '^[^/]+/cam_%w+/%l%l%l_%w+$') end

-- Returns the row of an export of a queue, if the export belongs into that queue. The last replica
-- that watched an export may have died. Then the export moves to another queue, or is dropped if it
-- is unconfirmed. A member without a row is dropped, too.
local function head(queue, key)
  local row = isExport(key) and read(key)
  if not row or isUnconfirmed(row) and not isWatched(key) then
    drop(key)
    return nil
  end
  if row.queue ~= queue then
    redis.call('ZREM', QUEUES[queue], key)
    return nil
  end
  if queueOf(key, row) ~= queue then
    write(key, row)
    return nil
  end
  return row
end

-- Moves to the front what has become due. A last look in the future was before the clock was set
-- back. It counts as one of now, or its export would come last for hours.
local function moveDue(queue)
  local front = string.format('%.0f', now - FRONT)
  for _, key in ipairs(redis.call('ZRANGEBYSCORE', QUEUES[queue], '(' .. front, '(0', 'LIMIT', 0, MOST)) do
    redis.call('ZADD', QUEUES[queue], front, key)
  end
  for _, key in ipairs(redis.call('ZRANGEBYSCORE', QUEUES[queue], 0, now, 'LIMIT', 0, MOST)) do
    local row = head(queue, key)
    if row then
      redis.call('ZADD', QUEUES[queue], string.format('%.0f', math.min(row.lookedAt, now) - FRONT), key)
    end
  end
end

local function claimFrom(queue, room)
  if room <= 0 then return end
  mendClock(QUEUES[queue])
  moveDue(queue)
  local taken = 0
  for _, key in ipairs(redis.call('ZRANGEBYSCORE', QUEUES[queue], '-inf', '(0', 'LIMIT', 0, MOST)) do
    if taken >= room then return end
    local row = head(queue, key)
    if row then
      taken = taken + 1
      row.token, row.hastenMs = prefix .. ':' .. (#claims + 1), nil
      claims[#claims + 1] = { key, cjson.encode(shifted(rowFrom(cjson.encode(row)), -1)) }
      row.dueAt = visibleAt
      write(key, row)
    end
  end
  if taken >= room then return end
  local dueAt = tonumber(redis.call('ZRANGE', QUEUES[queue], 0, 0, 'WITHSCORES')[2])
  -- More are in front than the script reads, so the caller asks again at once.
  if dueAt and dueAt < 0 then dueAt = now end
  if dueAt and (not nextDueAt or dueAt < nextDueAt) then nextDueAt = dueAt end
end

-- The idle exports come after the watched ones, because a watched one may turn out to be idle.
claimFrom('watched', tonumber(ARGV[4]))
claimFrom('idle', tonumber(ARGV[5]))
claimFrom('unconfirmed', tonumber(ARGV[6]))
-- The exports of an account that nobody serves any more go after a day.
for index = 1, 4 do redis.call('PEXPIRE', KEYS[index], 86400000) end
return { nextDueAt and string.format('%.0f', nextDueAt - shift) or '', claims, now }
