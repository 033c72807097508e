-- A customer stops the surveys.
-- KEYS: the stop of the requester's id, then of the address or number that the link went to
-- The later of a stop and an undo counts, in whatever order they come. Returns 0 if an undo of the first was later.
-- A repeat changes its moment alone: an undo from between, out of a spool, mustn't count any more.
local kept = 0
for place, name in ipairs(KEYS) do
  if wished_at >= undone_at(name) then
    local names, is_known = stopped_with(name), {[name] = true}
    for _, known in ipairs(names) do is_known[known] = true end
    for _, other in ipairs(KEYS) do
      if not is_known[other] then table.insert(names, other) end
    end
    redis.call('SET', name, table.concat({write(math.max(wished_at, since(name))), unpack(names)}, ' '))
    redis.call('DEL', undone_name(name))
    if place == 1 then kept = 1 end
  end
end
return kept
