-- The sliding window of one lemlist key. Returns 0 when a call may leave, else ms to wait.
-- KEYS: log (times of the last calls, newest first), pause
-- ARGV: op ('take' or 'pause'), calls, window ms, calls in a quarter, or ms of the pause; the caller's
--       clock in ms, or '' for that of Redis
local function now()
  if ARGV[5] ~= '' then return tonumber(ARGV[5]) end
  local time = redis.call('TIME')
  return time[1] * 1000 + time[2] / 1000
end
local time = now()
local pausedUntil = tonumber(redis.call('GET', KEYS[2]) or '') or -1

if ARGV[1] == 'pause' then
  local untilMs = time + tonumber(ARGV[2])
  if untilMs > pausedUntil then
    redis.call('SET', KEYS[2], string.format('%.3f', untilMs), 'PX', math.ceil(tonumber(ARGV[2])) + 1000)
  end
  return 0
end

local calls, windowMs, paced = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local blocked = pausedUntil
local function blockBy(index, ms)
  local at = tonumber(redis.call('LINDEX', KEYS[1], index) or '')
  if at and at + ms > blocked then blocked = at + ms end
end
blockBy(calls - 1, windowMs)
blockBy(paced - 1, windowMs / 4)
-- Closed windows: calls at t and t + window share one.
if time <= blocked then return math.floor(blocked - time) + 1 end
redis.call('LPUSH', KEYS[1], string.format('%.3f', time))
redis.call('LTRIM', KEYS[1], 0, calls - 1)
redis.call('PEXPIRE', KEYS[1], math.ceil(windowMs) * 2 + 1000)
return 0
