-- Takes exports that are over out of the list of a campaign. Returns a page of the rest: export id and
-- the time when it was first seen, for each export, those first seen first.
-- KEYS: the list (sorted set of exports by the time when they were first seen)
-- ARGV: how many of the newest to skip, the size of the page, then the exports that are over
local kind = redis.call('TYPE', KEYS[1]).ok
if kind ~= 'zset' and kind ~= 'none' then
  redis.call('DEL', KEYS[1])
  return redis.error_reply('FOREIGN the script removed a value that no gateway has written')
end
if #ARGV > 2 then redis.call('ZREM', KEYS[1], unpack(ARGV, 3)) end
local skipped, size = tonumber(ARGV[1]), tonumber(ARGV[2])
return redis.call('ZRANGE', KEYS[1], -skipped - size, -skipped - 1, 'WITHSCORES')
