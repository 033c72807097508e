-- A customer opts in again.
-- KEYS: opt-outs to remove. The ones made together with the first are removed too.
-- A later opt-out stays. The time is kept for an earlier opt-out that arrives later, out of a spool.
-- Returns the number of opt-outs removed.
local keys, removed = {unpack(KEYS)}, 0
for _, key in ipairs(opted_out_together(KEYS[1])) do table.insert(keys, key) end
for _, key in ipairs(keys) do
  if wished_at >= opted_out_at(key) then
    redis.call('SET', opt_in_key(key), text(math.max(wished_at, opted_in_at(key))), 'PX', keep_opt_in_ms)
    removed = removed + redis.call('DEL', key)
  end
end
return removed
