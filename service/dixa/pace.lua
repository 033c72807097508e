-- Reserve the next slot of the token that is free first, by GCRA (the generic cell rate algorithm).
--
-- KEYS  for each token the arrival time of its next slot; for each token the end of its cooldown; the end of the pause of
--       all tokens. Times are in ms of Redis's clock. Then, if an outage matters, `down` and `failing` of outage.failed.lua.
-- ARGV  tokens          their number
--       interval_ms     between two slots of a token
--       burst           slots of a token at once
--       max_wait_ms     the longest acceptable wait; negative to reserve nothing
--       max_pause_ms    the longest pause or cooldown ever written
--       max_ahead_ms    the longest wait accepted by any caller
--       slack_ms        how long an arrival time is kept after it has passed
--
-- Returns {index of the token, wait in us, number of tokens without a cooldown, 1 if Dixa is down, 1 if a failed call is on
-- record}. Index 0: the wait is too long, or Dixa is down.
-- Before: any state. After: the token's arrival time is one interval later; with index 0 nothing changed.
-- After a crash one slot is lost.
local tokens, interval_ms, burst, max_wait_ms = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local max_pause_ms, max_ahead_ms, slack_ms = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local pause_place = 2 * tokens + 1
local values = redis.call('MGET', unpack(KEYS))
local is_down, has_failed = values[pause_place + 1] and 1 or 0, values[pause_place + 2] and 1 or 0
if is_down == 1 then return {0, 0, 0, is_down, has_failed} end
local seconds, microseconds = unpack(redis.call('TIME'))
local now = seconds * 1000 + microseconds / 1000

-- When Redis's clock steps back, the times written before are in the far future, and would stop everybody until the clock
-- gets there. So a time beyond the longest one ever written does not count.
local function read(place, max_ms)
  local at = tonumber(values[place] or 0)
  if at <= now + max_ms then return at end
  redis.call('DEL', KEYS[place])
  return 0
end

local pause_of_all = read(pause_place, max_pause_ms)
local best, best_at, best_arrival, best_pause
local working = 0
for i = 1, tokens do
  local pause = math.max(pause_of_all, read(tokens + i, max_pause_ms))
  local arrival = math.max(read(i, max_ahead_ms + burst * interval_ms), now)
  if pause <= now then working = working + 1 end
  local at = math.max(arrival - (burst - 1) * interval_ms, now, pause)
  if not best or at < best_at then best, best_at, best_arrival, best_pause = i, at, arrival, pause end
end
local wait = best_at - now
local wait_us = math.ceil(wait * 1000)
if wait > max_wait_ms then return {0, wait_us, working, 0, has_failed} end
-- After a pause the burst is used up: Dixa has just refused us, so calls go on one interval apart.
local arrival = math.max(best_arrival, best_pause + (burst - 1) * interval_ms) + interval_ms
redis.call('SET', KEYS[best], string.format('%.3f', arrival), 'PX', math.ceil(arrival - now + slack_ms))
return {best, wait_us, working, 0, has_failed}
