-- Lease the next stretch of time for the search for missed closes.
-- KEYS: bookmark, lease
-- ARGV: owner, least length of a stretch (ms), how long ago it ends (ms), how long ago it begins at most (ms), its greatest
--       length (ms), lease (ms)
-- Before: any state. After: `claimed` has the lease and counts a try; `early` and `leased` change nothing, except that the
-- first call ever writes the bookmark.
-- A crash right after it: the lease ends, and the stretch comes again.
-- Returns {'claimed', since (ms), until (ms), tries}, or {'early' or 'leased', time until the next try (ms)}.
local bookmark, lease = unpack(KEYS)
local owner, every_ms, lag_ms, max_age_ms, max_length_ms, lease_ms = unpack(ARGV)
local seconds, micros = unpack(redis.call('TIME'))
local moment = seconds * 1000 + math.floor(micros / 1000)
local newest = moment - tonumber(lag_ms)
local function text(number) return string.format('%.0f', number) end

local since = tonumber(redis.call('HGET', bookmark, 'until'))
-- A bookmark in the future is from before Redis's clock was set back.
if not since or since > moment then
  redis.call('HSET', bookmark, 'until', text(newest), 'looked_at', text(moment), 'tries', '0')
  return {'early', text(tonumber(every_ms))}
end
if newest - since < tonumber(every_ms) then return {'early', text(since + tonumber(every_ms) - newest)} end
if not redis.call('SET', lease, owner, 'NX', 'PX', lease_ms) then
  return {'leased', text(math.max(redis.call('PTTL', lease), 0))}
end
since = math.max(since, moment - tonumber(max_age_ms))
local tries = redis.call('HINCRBY', bookmark, 'tries', 1)
return {'claimed', text(since), text(math.min(newest, since + tonumber(max_length_ms))), tries}
