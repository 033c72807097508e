-- Reserve the next slot of the token that is free first (GCRA).
-- KEYS: for each token its arrival time, then for each its own pause, then the pause of all
-- ARGV: interval (ms), burst, longest wait that is accepted (ms)
-- Answers {index of the token, wait in µs, tokens that aren't held back}, or with nothing reserved, when that is too long,
-- 0 as the index.
-- A crash after it wastes a slot.
-- A time that is further ahead than any that is written here was written before Redis' clock stepped back: it is over.
local LONGEST_PAUSE, LONGEST_WAIT = 300000, 5000
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local interval, burst = tonumber(ARGV[1]), tonumber(ARGV[2])

local function read(key, furthest)
  local at = tonumber(redis.call('GET', key) or 0)
  if at <= now + furthest then return at end
  redis.call('DEL', key)
  return 0
end

local tokens, pause_of_all = (#KEYS - 1) / 2, read(KEYS[#KEYS], LONGEST_PAUSE)
local best, best_at, best_arrival, best_pause
local working = 0
for i = 1, tokens do
  local pause = math.max(pause_of_all, read(KEYS[tokens + i], LONGEST_PAUSE))
  -- Whoever reserves waits for LONGEST_WAIT at most, and leaves a whole burst behind at most.
  local arrival = math.max(read(KEYS[i], LONGEST_WAIT + burst * interval), now)
  if pause <= now then working = working + 1 end
  local at = math.max(arrival - (burst - 1) * interval, now, pause)
  if not best or at < best_at then best, best_at, best_arrival, best_pause = i, at, arrival, pause end
end
local wait = best_at - now
if wait > tonumber(ARGV[3]) then return {0, math.ceil(wait * 1000), working} end
-- After a pause the bucket is empty: nobody bursts out of it.
local arrival = math.max(best_arrival, best_pause + (burst - 1) * interval) + interval
redis.call('SET', KEYS[best], string.format('%.3f', arrival), 'PX', math.ceil(arrival - now) + 1000)
return {best, math.ceil(wait * 1000), working}
