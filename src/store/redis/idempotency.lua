-- Work that is done once. The value is 'begun TIME', 'given-up' or 'finished ANSWER' (base64).
-- KEYS: the key
-- ARGV: op; for 'begin' ms in progress and ms until forgotten; for 'finish' the answer; the caller's
--       clock in ms, or '' for that of Redis
local kept = redis.call('GET', KEYS[1])
local op = ARGV[1]
local begun = kept and string.match(kept, '^begun (%d+)$')
local function now()
  if ARGV[4] ~= '' then return tonumber(ARGV[4]) end
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

if op == 'begin' then
  if not kept then
    local value = string.format('begun %d', now() + tonumber(ARGV[2]))
    redis.call('SET', KEYS[1], value, 'PX', ARGV[3])
    return 'yours'
  end
  local answer = string.match(kept, '^finished (.*)$')
  if answer then return 'finished ' .. answer end
  if begun and now() < tonumber(begun) then return 'in-progress' end
  -- Also what cannot be read: it was begun, and that is all that is known.
  return 'unknown'
end

if not kept then return 'none' end
if op == 'finish' and string.sub(kept, 1, 9) ~= 'finished ' then
  redis.call('SET', KEYS[1], 'finished ' .. ARGV[2], 'KEEPTTL')
elseif op == 'give-up' and begun then
  redis.call('SET', KEYS[1], 'given-up', 'KEEPTTL')
elseif op == 'forget' and begun then
  redis.call('DEL', KEYS[1])
end
return 'done'
