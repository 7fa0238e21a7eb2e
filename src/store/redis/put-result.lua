-- Puts a record if there is none. A final also replaces a timed-out. Returns what is kept then:
-- {record, marker, hash of the record}, each '' if it is not there.
-- KEYS: record (gone at the end of life), marker (gone when 410 is not answered any more),
--       the list of the campaign (sorted set of exports by the time when they were first seen)
-- ARGV: kind, record, ms to the end of life, ms until it is forgotten, when it is forgotten,
--       hash of a value that the caller has read and found corrupt, export id, when it was first
--       seen, the most exports of a list
local function kept()
  local value = redis.pcall('GET', KEYS[1])
  if type(value) ~= 'string' then return nil end
  local isFinal = string.sub(value, 1, 8) == '1 final '
  local isTimedOut = string.sub(value, 1, 12) == '1 timed-out '
  -- Another program may have written this value. The script treats it as missing.
  if not isFinal and not isTimedOut then return nil end
  if isTimedOut and ARGV[1] == 'final' then return nil end
  local hash = redis.sha1hex(value)
  if hash == ARGV[6] then return nil end
  return { string.sub(value, 1, 32768), '', hash }
end

-- Redis may have lost the list alone. The list lives as long as the record of it that lives longest.
local function enlist()
  local kind = redis.call('TYPE', KEYS[3]).ok
  if kind ~= 'zset' and kind ~= 'none' then redis.call('DEL', KEYS[3]) end
  if redis.call('ZSCORE', KEYS[3], ARGV[7]) then return end
  redis.call('ZADD', KEYS[3], ARGV[8], ARGV[7])
  local surplus = redis.call('ZCARD', KEYS[3]) - tonumber(ARGV[9])
  if surplus > 0 then redis.call('ZREM', KEYS[3], unpack(redis.call('ZRANGE', KEYS[3], 0, surplus - 1))) end
  if redis.call('PTTL', KEYS[3]) < tonumber(ARGV[3]) then redis.call('PEXPIRE', KEYS[3], ARGV[3]) end
end

local found = kept()
if found then
  enlist()
  return found
end
local over = redis.pcall('GET', KEYS[2])
if type(over) == 'string' and #over <= 16 and string.match(over, '^%d+$') then return { '', over, '' } end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
if ARGV[1] == 'final' then redis.call('SET', KEYS[2], ARGV[5], 'PX', ARGV[4]) end
enlist()
return { ARGV[2], '', '' }
