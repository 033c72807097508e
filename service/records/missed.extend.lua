-- Extend the lease of the search for missed closes.
-- KEYS: lease
-- ARGV: owner, lease (ms)
-- Returns 1, or 0 if another process has the lease, or none.
local owner, lease_ms = unpack(ARGV)
if redis.call('GET', KEYS[1]) ~= owner then return 0 end
return redis.call('PEXPIRE', KEYS[1], lease_ms)
