-- Runs each command of the other scripts once, on keys of its own. A command that fails only in a
-- script that runs rarely would make the gateways leave Redis and come back again and again.
-- KEYS: a string, a list, a hash, a set, a sorted set. Returns the commands that the user may not run.
local text, list, hash, set, sorted = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local missing, failure = {}, nil

local function try(...)
  local reply = redis.pcall(...)
  if type(reply) ~= 'table' or not reply.err then return end
  local message = string.lower(reply.err)
  if not string.find(message, 'noperm', 1, true)
    and not string.find(message, 'acl failure', 1, true)
    and not string.find(message, "can't run this command", 1, true) then
    failure = failure or reply
  else
    missing[#missing + 1] = select(1, ...)
  end
end

try('TIME')
try('TYPE', text)
try('SET', text, '1', 'PX', '10000')
try('GET', text)
try('GETRANGE', text, 0, 0)
try('LPUSH', list, '1', '2')
try('LINDEX', list, 0)
try('LTRIM', list, 0, 1)
try('RPOP', list)
try('HSET', hash, 'field', '1')
try('HGET', hash, 'field')
try('HEXISTS', hash, 'field')
try('HLEN', hash)
try('HDEL', hash, 'field')
try('SADD', set, '1', '2')
try('SISMEMBER', set, '1')
try('SREM', set, '1')
try('ZADD', sorted, 1, '1', 2, '2')
try('ZCARD', sorted)
try('ZSCORE', sorted, '1')
try('ZRANGE', sorted, 0, 0, 'WITHSCORES')
try('ZRANGEBYSCORE', sorted, '-inf', 2)
try('ZREM', sorted, '1')
try('ZREMRANGEBYSCORE', sorted, '-inf', 2)
try('PEXPIRE', list, 10000)
try('PTTL', list)
try('DEL', list, hash, set, sorted)
return failure or missing
