-- A customer stops the surveys.
-- KEYS: the requester's stop, when it was undone last (ms), then one for each thing the person is known by
-- ARGV: when it was wished (ms; empty: now), the prefix of our names, how long an undo is kept (ms; not used)
-- The stop is "<when, ms> <the names of what was stopped with it>", to be undone together; older ones have no moment. The
-- later of a stop and an undo counts, in whatever order they come. Returns 0 if an undo was later.
-- A repeat changes its moment alone: an undo from between, out of a spool, mustn't count any more.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local wished_at = tonumber(ARGV[1])
-- A moment by a host's clock that is ahead must not outlive what is wished afterwards.
local at = math.min(wished_at or now, now)
if wished_at and at < tonumber(redis.call('GET', KEYS[2]) or 0) then return 0 end

local known = redis.call('GET', KEYS[1]) or ''
local since = tonumber(string.match(known, '^%d+') or 0)
local names, is_known = {}, {}
for name in string.gmatch(known, '%S+') do
  if string.sub(name, 1, #ARGV[2]) == ARGV[2] then
    table.insert(names, name)
    is_known[name] = true
  end
end
local is_new = at > since
for place = 3, #KEYS do
  if not is_known[KEYS[place]] then
    table.insert(names, KEYS[place])
    is_new = true
  end
end
if is_new then
  redis.call('SET', KEYS[1], table.concat({string.format('%.0f', math.max(at, since)), unpack(names)}, ' '))
  for place = 3, #KEYS do redis.call('SET', KEYS[place], '1') end
end
redis.call('DEL', KEYS[2])
return 1
