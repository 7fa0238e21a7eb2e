-- Notes which exports the calling replica watches.
-- ARGV: 4 'watch', 'unwatch' or 'renew', 5 ms for which the replica counts as watching, then
--       watch: for each export: export, the time by which it is due, or '', its interval in ms
--       unwatch: each export
--       renew: nothing
local op, watchMs = ARGV[4], tonumber(ARGV[5])

if op == 'renew' then
  attend(watchMs)
  return 1
end

if op == 'watch' then
  attend(watchMs, 6, 3)
  for index = 6, #ARGV, 3 do
    local key, row = ARGV[index], read(ARGV[index])
    local dueBy = tonumber(ARGV[index + 1])
    if row and (dueBy or row.queue ~= queueOf(key, row)) then
      hasten(row, dueBy and dueBy + shift, tonumber(ARGV[index + 2]))
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
