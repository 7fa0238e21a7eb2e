-- Put-if-absent, except that a final beats a timed-out. Returns what is kept: {record, marker}.
-- KEYS: record (gone at the end of life), marker (gone when even 410 is over)
-- ARGV: kind, record, ms to the end of life, ms until it is forgotten, when that is
local kept = redis.pcall('GET', KEYS[1])
if type(kept) ~= 'string' then kept = nil end
-- What is not of ours does not count as kept.
if kept and string.sub(kept, 1, 8) == '1 final ' then return { kept, false } end
if kept and string.sub(kept, 1, 12) == '1 timed-out ' and ARGV[1] ~= 'final' then
  return { kept, false }
end
local over = redis.pcall('GET', KEYS[2])
if type(over) == 'string' then return { false, over } end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
if ARGV[1] == 'final' then redis.call('SET', KEYS[2], ARGV[5], 'PX', ARGV[4]) end
return { ARGV[2], false }
