-- Notes that a replica is alive, and returns how many are, by the clock of Redis.
-- KEYS: replicas (sorted set by the time of the last sign of life)
-- ARGV: this replica, ms for which a replica counts as alive after a sign of life
local found = redis.call('TYPE', KEYS[1]).ok
if found ~= 'zset' and found ~= 'none' then
  redis.call('DEL', KEYS[1])
  return redis.error_reply('FOREIGN the script removed a value that no gateway has written')
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local aliveMs = tonumber(ARGV[2])
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - aliveMs)
-- A sign of life from the future means that the clock of Redis was set back. It does not count.
redis.call('ZREMRANGEBYSCORE', KEYS[1], now + aliveMs, '+inf')
redis.call('PEXPIRE', KEYS[1], aliveMs * 2)
return redis.call('ZCARD', KEYS[1])
