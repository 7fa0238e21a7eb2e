-- Puts rows back that Redis has lost, or takes over the rows of an older version of the gateway.
-- ARGV: 4 'restore', then for each export: export, row, 'changed' when the replica has learnt more
--         while Redis was away, or '', the token of a claim whose look has ended meanwhile, or ''
--       4 'migrate', 5 the most rows to take over. KEYS[7] are the due times (sorted set) and
--         KEYS[8] the rows (hash) of the older version. Returns how many rows are left there.
if ARGV[4] == 'restore' then
  for index = 5, #ARGV, 4 do
    local key, row = ARGV[index], shifted(cjson.decode(ARGV[index + 1]), 1)
    local kept = read(key)
    if not kept then
      write(key, row)
    elseif ARGV[index + 2] == 'changed' then
      merge(row, kept)
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
end

if redis.call('TYPE', KEYS[7]).ok ~= 'zset' or redis.call('TYPE', KEYS[8]).ok ~= 'hash' then
  redis.call('DEL', KEYS[7], KEYS[8])
  return 0
end
for _, key in ipairs(redis.call('ZRANGE', KEYS[7], 0, tonumber(ARGV[5]) - 1)) do
  local ok, older = pcall(cjson.decode, redis.call('HGET', KEYS[8], key) or '')
  if ok and type(older) == 'table' then older.agedLooks = 0 end
  local row = ok and type(older) == 'table' and rowFrom(cjson.encode(older))
  redis.call('ZREM', KEYS[7], key)
  redis.call('HDEL', KEYS[8], key)
  if row and not isUnconfirmed(row) and not read(key) then
    row.token, row.hastenMs = nil, nil
    write(key, row)
  end
end
return redis.call('ZCARD', KEYS[7])
