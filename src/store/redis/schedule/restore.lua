-- Puts rows back that Redis has lost.
-- ARGV: 4 and on: for each export: export, row, 'changed' when the replica has learnt more while
--         Redis was away, or '', the token of a claim whose look has ended meanwhile, or ''
for index = 4, #ARGV, 4 do
  local key, row = ARGV[index], shifted(cjson.decode(ARGV[index + 1]), 1)
  local kept = read(key)
  if not kept then
    write(key, row)
  elseif ARGV[index + 2] == 'changed' then
    merge(row, kept)
    row.lookedAt = math.max(row.lookedAt, kept.lookedAt)
    -- A replica has claimed the export since then. It looks at it anyway, so its claim stays.
    if kept.token and kept.token ~= ARGV[index + 3] then
      row.dueAt, row.token, row.hastenMs = kept.dueAt, kept.token, kept.hastenMs
    elseif not kept.token then
      row.dueAt = math.min(kept.dueAt, row.dueAt)
    end
    write(key, row)
  end
end
return 1
