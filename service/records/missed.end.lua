-- Return the lease of the search for missed closes, and move the bookmark if the stretch was looked at.
-- KEYS: bookmark, lease
-- ARGV: owner, the end of the stretch (ms), or '' if it comes again
-- Without the lease, nothing changes: another process looks at this stretch.
-- A crash before it: the stretch comes again, and its closes have records by then.
local bookmark, lease = unpack(KEYS)
local owner, until_ms = unpack(ARGV)
if redis.call('GET', lease) ~= owner then return end
redis.call('DEL', lease)
if until_ms == '' then return end
local seconds = redis.call('TIME')[1]
redis.call('HSET', bookmark, 'until', until_ms, 'looked_at', string.format('%.0f', seconds * 1000), 'tries', '0')
