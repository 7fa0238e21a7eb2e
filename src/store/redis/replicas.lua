-- Notes that a replica lives and counts those that do, by the clock of Redis.
-- KEYS: replicas (sorted set by the time they were heard of)
-- ARGV: this replica, ms that one counts as alive
local found = redis.call('TYPE', KEYS[1]).ok
if found ~= 'zset' and found ~= 'none' then
  redis.call('DEL', KEYS[1])
  return redis.error_reply('FOREIGN a value that is not of ours was removed')
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local aliveMs = tonumber(ARGV[2])
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - aliveMs)
-- The clock of Redis was set back: nobody was heard of in times to come.
redis.call('ZREMRANGEBYSCORE', KEYS[1], now + aliveMs, '+inf')
redis.call('PEXPIRE', KEYS[1], aliveMs * 2)
return redis.call('ZCARD', KEYS[1])
