-- Reads tracked exports, and notes how a look at one of them has ended.
-- ARGV: 4 'find', then each export. Returns for each export 'w' (watched) or 'i' (not watched) and
--         the row behind that letter, or '' when the export is not tracked.
--       4 'newest', 5 campaign, 6 its account, 7 the most exports. Returns {export, 'w' or 'i' and the row}
--         of each, those first seen last first.
--       4 'reschedule', 5 export, 6 token, 7 plan. Returns 1, or 0 when the claim is lost.
--       4 'untrack', 5 export, 6 token or ''. Returns 1, or 0 when the claim is lost or
--         there was no row.
local op = ARGV[4]
if op == 'newest' then
  local found, most, start = {}, tonumber(ARGV[7]), ARGV[6] .. '/' .. ARGV[5] .. '/'
  local list = listOf(start .. 'axp_0')
  local kind = list and redis.call('TYPE', list).ok
  if kind ~= 'zset' then return found end
  local skipped = 0
  -- Some exports of the list may have no row, when a gateway of an older version has dropped them.
  while #found < most and skipped < 1000 do
    local page = redis.call('ZRANGE', list, -skipped - most, -skipped - 1)
    for index = #page, 1, -1 do
      local key = start .. page[index]
      local row = read(key)
      if row and not isUnconfirmed(row) and #found < most then
        row.token = nil
        found[#found + 1] = { key, (isWatched(key) and 'w' or 'i') .. cjson.encode(shifted(row, -1)) }
      end
    end
    if #page < most then break end
    skipped = skipped + most
  end
  return found
end
if op == 'find' then
  local found = {}
  for index = 5, #ARGV do
    local row = read(ARGV[index])
    if row then row.token = nil end
    local mark = row and isWatched(ARGV[index]) and 'w' or 'i'
    found[#found + 1] = row and mark .. cjson.encode(shifted(row, -1)) or ''
  end
  return found
end

local key, token, row = ARGV[5], ARGV[6], read(ARGV[5])
if op == 'reschedule' then
  if not row or row.token ~= token then return 0 end
  for name, value in pairs(cjson.decode(ARGV[7])) do row[name] = value end
  row.dueAt, row.lookedAt, row.token = row.dueAt + shift, row.lookedAt + shift, nil
  if row.hastenMs then row.dueAt = math.min(row.dueAt, now + row.hastenMs) end
  row.hastenMs = nil
  write(key, row)
  return 1
end
if token ~= '' and (not row or row.token ~= token) then return 0 end
return drop(key)
