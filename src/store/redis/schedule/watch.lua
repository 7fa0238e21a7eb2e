-- Notes which exports the calling replica watches.
-- ARGV: 4 'watch', 'unwatch' or 'renew', 5 ms for which the replica counts as watching, then
--       watch: for each export: export, the time by which it is due, or ''
--       unwatch: each export
--       renew: the number of exports that the replica watches. Returns 1 when its set has as many.
local op, watchMs = ARGV[4], tonumber(ARGV[5])

if op == 'renew' then
  local isComplete = redis.call('SCARD', KEYS[6]) == tonumber(ARGV[6])
  if tonumber(ARGV[6]) > 0 then attend(watchMs) else redis.call('ZREM', KEYS[5], me) end
  return isComplete and 1 or 0
end

if op == 'watch' then
  for index = 6, #ARGV, 2 do redis.call('SADD', KEYS[6], ARGV[index]) end
  attend(watchMs)
  for index = 6, #ARGV, 2 do
    local key, row = ARGV[index], read(ARGV[index])
    local dueBy = tonumber(ARGV[index + 1])
    if row and (dueBy or row.queue ~= queueOf(key, row)) then
      hasten(row, dueBy and dueBy + shift)
      write(key, row)
    end
  end
  return 1
end

for index = 6, #ARGV do redis.call('SREM', KEYS[6], ARGV[index]) end
for index = 6, #ARGV do
  local key, row = ARGV[index], read(ARGV[index])
  if row and isUnconfirmed(row) then
    if not isWatched(key) then drop(key) end
  elseif row and row.queue ~= queueOf(key, row) then
    write(key, row)
  end
end
return 1
