-- A customer wants surveys again.
-- KEYS: what is undone; with the first goes all that was stopped together with it
-- The moment is kept for a stop that was wished before it and comes later, out of a spool. One that was wished later stays.
-- Returns how many stops there were.
local names, stops = {unpack(KEYS)}, 0
for _, name in ipairs(stopped_with(KEYS[1])) do table.insert(names, name) end
for _, name in ipairs(names) do
  if wished_at >= since(name) then
    redis.call('SET', undone_name(name), write(math.max(wished_at, undone_at(name))), 'PX', ARGV[3])
    stops = stops + redis.call('DEL', name)
  end
end
return stops
