-- Work that is done once. The value is 'FORGET begun UNTIL OWNER', 'FORGET given-up' or
-- 'FORGET finished ANSWER' (base64). FORGET and UNTIL are times of the clock of Redis, in ms.
-- KEYS: the key
-- ARGV: op, the caller's clock in ms, or '' for the clock of Redis, then the values of the op
local op = ARGV[1]
local function now()
  if ARGV[2] ~= '' then return tonumber(ARGV[2]) end
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
local time = now()

-- A value that cannot be read counts as work that was begun. Nothing else is known about it.
local forgetAt, state, rest
local text = redis.pcall('GET', KEYS[1])
if type(text) == 'string' and #text <= 32768 then
  forgetAt, state, rest = string.match(text, '^(%d+) (%l+%-?%l*) ?(.*)$')
end
local untilMs, owner = string.match(rest or '', '^(%d+) (%S+)$')
local isBegun = state == 'begun' and untilMs ~= nil
local isOurs = isBegun or state == 'given-up' or state == 'finished'
local isThere = text and not (isOurs and time >= tonumber(forgetAt))

local function put(value, untilForgotten)
  local at = string.format('%.0f', time + untilForgotten)
  redis.call('SET', KEYS[1], at .. ' ' .. value, 'PX', untilForgotten)
  return 'done'
end
local function turnInto(value)
  redis.call('SET', KEYS[1], forgetAt .. ' ' .. value, 'KEEPTTL')
  return 'done'
end
local function begun(ms, by) return string.format('begun %.0f %s', time + tonumber(ms), by) end

if op == 'begin' then
  if not isThere then
    put(begun(ARGV[3], ARGV[5]), ARGV[4])
    return 'yours'
  end
  if not isOurs then return 'corrupt' end
  if state == 'finished' then return 'finished ' .. rest end
  if isBegun and time < tonumber(untilMs) then return 'in-progress' end
  return 'unknown'
end

if op == 'restore' then
  local value = ARGV[3]
  if value == 'begun' then value = begun(ARGV[5], ARGV[6]) end
  if not isThere then return put(value, ARGV[4]) end
  if not isOurs then return 'corrupt' end
  local isFinish = string.sub(value, 1, 9) == 'finished '
  if isFinish and state ~= 'finished' or value == 'given-up' and isBegun then return turnInto(value) end
  return 'done'
end

if not isThere or not isOurs then return 'none' end
if op == 'finish' and state ~= 'finished' then return turnInto('finished ' .. ARGV[3]) end
if op == 'give-up' and isBegun then return turnInto('given-up') end
if op == 'forget' and isBegun and (ARGV[3] == '' or ARGV[3] == owner) then
  redis.call('DEL', KEYS[1])
end
return 'done'
