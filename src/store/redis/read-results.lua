-- Returns the value under each key, or '' if there is none. A longer value is cut one byte after
-- `most`, because other programs on the same server may have put anything there.
-- KEYS: any number of keys
-- ARGV: most
local values = {}
for index, key in ipairs(KEYS) do
  local value = redis.pcall('GETRANGE', key, 0, ARGV[1])
  -- The value has another type, so it is no record, and neither is this word.
  if type(value) ~= 'string' then value = 'FOREIGN' end
  values[index] = value
end
return values
