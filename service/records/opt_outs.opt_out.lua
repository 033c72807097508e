-- A customer opts out.
-- KEYS: opt-out of the requester's id, then of the address or number that got the link
-- The later of an opt-out and an opt-in counts, in whatever order they arrive. Returns 0 if a later opt-in of the first key is
-- known. A repeat only moves the time forward, so that an opt-in from between, out of a spool, no longer counts.
local is_kept = 0
for place, key in ipairs(KEYS) do
  if wished_at >= opted_in_at(key) then
    local others, is_known = opted_out_together(key), {[key] = true}
    for _, known in ipairs(others) do is_known[known] = true end
    for _, other in ipairs(KEYS) do
      if not is_known[other] then table.insert(others, other) end
    end
    redis.call('SET', key, table.concat({text(math.max(wished_at, opted_out_at(key))), unpack(others)}, ' '))
    redis.call('DEL', opt_in_key(key))
    if place == 1 then is_kept = 1 end
  end
end
return is_kept
