-- Reads tracked exports, and notes how a look at one of them has ended.
-- ARGV: 4 'find', then each export. Returns for each export 'w' (watched) or 'i' (not watched) and
--         the row behind that letter, or '' when the export is not tracked.
--       4 'reschedule', 5 export, 6 token, 7 plan. Returns 1, or 0 when the claim is lost.
--       4 'untrack', 5 export, 6 token or ''. Returns 1, or 0 when the claim is lost or
--         there was no row.
local op = ARGV[4]
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
  row.dueAt, row.token = row.dueAt + shift, nil
  if row.hastenMs then row.dueAt = math.min(row.dueAt, now + row.hastenMs) end
  row.hastenMs = nil
  write(key, row)
  return 1
end
if token ~= '' and (not row or row.token ~= token) then return 0 end
return drop(key)
