-- What is kept under each key, or '' for nothing. Never more than `most` bytes of it: whoever shares the
-- server may have put anything there.
-- KEYS: any
-- ARGV: most
local values = {}
for index, key in ipairs(KEYS) do
  local value = redis.pcall('GETRANGE', key, 0, ARGV[1])
  -- Of another type: no record of ours, as the reader will see.
  if type(value) ~= 'string' then value = 'FOREIGN' end
  values[index] = value
end
return values
