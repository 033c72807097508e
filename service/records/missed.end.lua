-- Return the lease of the search for missed closes, and move the bookmark if the stretch was looked at.
-- KEYS: bookmark, lease
-- ARGV: owner, the end of the stretch (ms), or '' if it comes again; why nobody could look, or ''
-- Without the lease, nothing changes: another process looks at this stretch.
-- A crash before it: the stretch comes again, and its closes have records by then.
local bookmark, lease = unpack(KEYS)
local owner, until_ms, problem = unpack(ARGV)
if redis.call('GET', lease) ~= owner then return end
redis.call('DEL', lease)
if until_ms == '' then return end
local seconds = redis.call('TIME')[1]
local looked_at = string.format('%.0f', seconds * 1000)
redis.call('HSET', bookmark, 'until', until_ms, 'looked_at', looked_at, 'tries', '0', 'problem', problem)
