-- The sliding window of one lemlist key. 'take' returns 0 when a call may leave, else the ms to
-- wait. 'paused' returns the ms that are left of the pause, 0 without a pause. 'pause' returns 0.
-- KEYS: log (list of the times of the last calls, newest first), pause (time at which it ends)
-- ARGV: 'take', calls in a window, window in ms, calls in a quarter of it, clock
--       'pause', ms of the pause, '', '', clock
--       'paused', '', '', '', clock
--       where clock is the caller's clock in ms, or '' for the clock of Redis
for index, kind in ipairs({ 'list', 'string' }) do
  local found = redis.call('TYPE', KEYS[index]).ok
  if found ~= kind and found ~= 'none' then
    redis.call('DEL', KEYS[index])
    return redis.error_reply('FOREIGN the script removed a value that no gateway has written')
  end
end

local LONGEST_PAUSE_MS = 600000
local function now()
  if ARGV[5] ~= '' then return tonumber(ARGV[5]) end
  local time = redis.call('TIME')
  return time[1] * 1000 + time[2] / 1000
end
local function timeOf(text)
  if text and #text <= 20 and string.match(text, '^%d+%.?%d*$') then return tonumber(text) end
  return nil
end

local time = now()
local function pause(untilMs)
  local ms = math.ceil(untilMs - time) + 1000
  redis.call('SET', KEYS[2], string.format('%.3f', untilMs), 'PX', string.format('%d', ms))
end
local pausedUntil = timeOf(redis.call('GET', KEYS[2])) or -1
-- No gateway asks for a longer pause. The clock of Redis was set back, or another program wrote it.
if pausedUntil > time + LONGEST_PAUSE_MS then pausedUntil = -1 end

if ARGV[1] == 'pause' then
  local untilMs = time + tonumber(ARGV[2])
  if untilMs > pausedUntil then pause(untilMs) end
  return 0
end

if ARGV[1] == 'paused' then return math.max(0, math.ceil(pausedUntil - time)) end

local calls, windowMs, paced = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local newest = redis.call('LINDEX', KEYS[1], 0)
if newest and (timeOf(newest) or time + windowMs + 1) > time + windowMs then
  -- The newest call is no time or lies too far in the future, for one of the same two reasons.
  -- Nobody knows what was spent, so no call leaves for one window.
  redis.call('DEL', KEYS[1])
  pause(math.max(time + windowMs, pausedUntil))
  return math.floor(math.max(windowMs, pausedUntil - time)) + 1
end

local blocked = pausedUntil
local function blockBy(index, ms)
  local at = timeOf(redis.call('LINDEX', KEYS[1], index))
  if at and at + ms > blocked then blocked = at + ms end
end
blockBy(calls - 1, windowMs)
blockBy(paced - 1, windowMs / 4)
-- Windows are closed: calls at t and t + window are in the same window.
if time <= blocked then return math.floor(blocked - time) + 1 end
redis.call('LPUSH', KEYS[1], string.format('%.3f', time))
redis.call('LTRIM', KEYS[1], 0, calls - 1)
-- Calls are also dropped by age, so that with a limit of 10^9 the log holds only one window.
for _ = 1, 100 do
  local oldest = timeOf(redis.call('LINDEX', KEYS[1], -1)) or -1
  if oldest + windowMs >= time then break end
  redis.call('RPOP', KEYS[1])
end
redis.call('PEXPIRE', KEYS[1], math.ceil(windowMs) * 2 + 1000)
return 0
