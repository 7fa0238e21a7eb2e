-- Tracks exports. Returns the positions, from 0, of the exports that there is no room for.
-- ARGV: 4 'track' or 'adopt', 5 the most rows, 6 the most unconfirmed rows, 7 ms for which the
--       replica counts as watching, then for each export: export, row
local adopts, maxRows, maxUnconfirmed = ARGV[4] == 'adopt', tonumber(ARGV[5]), tonumber(ARGV[6])
local rows, unconfirmed = redis.call('HLEN', KEYS[1]), redis.call('ZCARD', KEYS[4])
local refused = {}
if adopts then attend(tonumber(ARGV[7]), 8, 2) end
for index = 8, #ARGV, 2 do
  local key, row = ARGV[index], shifted(cjson.decode(ARGV[index + 1]), 1)
  local kept = read(key)
  if not kept and (rows >= maxRows or isUnconfirmed(row) and unconfirmed >= maxUnconfirmed) then
    refused[#refused + 1] = (index - 8) / 2
  elseif not kept then
    -- A value that is there now is no sound row. The script removes nothing else: a full Redis
    -- refuses a script only if its first write needs memory, and the gateway must learn that Redis
    -- is full.
    if redis.call('HEXISTS', KEYS[1], key) == 1 then drop(key) end
    write(key, row)
    rows = rows + 1
    if isUnconfirmed(row) then unconfirmed = unconfirmed + 1 end
  elseif adopts then
    hasten(kept, row.dueAt, row.intervalMs)
    write(key, kept)
  else
    merge(row, kept)
    write(key, row)
  end
end
return refused
