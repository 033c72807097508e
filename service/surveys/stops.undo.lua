-- A customer wants surveys again.
-- KEYS: the requester's stop, when it was undone last (ms), then one for each thing the person is known by
-- ARGV: when it was wished (ms; empty: now), the prefix of our names, how long the moment is kept (ms)
-- Removes the requester's stop, what was stopped with it, and what the person is known by. The moment is kept for a stop
-- that was wished before it and comes later, out of a spool. Returns how many stops there were; 0 also if a stop was later.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local wished_at = tonumber(ARGV[1])
-- A moment by a host's clock that is ahead must not outlive what is wished afterwards.
local at = math.min(wished_at or now, now)
local known = redis.call('GET', KEYS[1]) or ''
if wished_at and at < tonumber(string.match(known, '^%d+') or 0) then return 0 end

redis.call('SET', KEYS[2], string.format('%.0f', math.max(at, tonumber(redis.call('GET', KEYS[2]) or 0))), 'PX', ARGV[3])
local stops = redis.call('DEL', KEYS[1])
for place = 3, #KEYS do stops = stops + redis.call('DEL', KEYS[place]) end
for name in string.gmatch(known, '%S+') do
  if string.sub(name, 1, #ARGV[2]) == ARGV[2] then stops = stops + redis.call('DEL', name) end
end
return stops
