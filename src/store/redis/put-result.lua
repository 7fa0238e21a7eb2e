-- Put-if-absent, except that a final beats a timed-out. Returns what is kept: {record, marker, hash of
-- the record}; '' for what is not.
-- KEYS: record (gone at the end of life), marker (gone when even 410 is over)
-- ARGV: kind, record, ms to the end of life, ms until it is forgotten, when that is, hash of a value that
--       the caller has seen and found corrupt
local function kept()
  local value = redis.pcall('GET', KEYS[1])
  if type(value) ~= 'string' then return nil end
  local isFinal = string.sub(value, 1, 8) == '1 final '
  local isTimedOut = string.sub(value, 1, 12) == '1 timed-out '
  -- What is not of ours does not count.
  if not isFinal and not isTimedOut then return nil end
  if isTimedOut and ARGV[1] == 'final' then return nil end
  local hash = redis.sha1hex(value)
  if hash == ARGV[6] then return nil end
  return { string.sub(value, 1, 32768), '', hash }
end
local found = kept()
if found then return found end
local over = redis.pcall('GET', KEYS[2])
if type(over) == 'string' and #over <= 16 and string.match(over, '^%d+$') then return { '', over, '' } end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
if ARGV[1] == 'final' then redis.call('SET', KEYS[2], ARGV[5], 'PX', ARGV[4]) end
return { ARGV[2], '', '' }
