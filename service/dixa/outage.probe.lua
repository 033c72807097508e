-- Let one claim at a time probe whether Dixa is back.
--
-- KEYS  down    string: begin of the outage (ms), if there is one
--       probe   string: a claim is probing Dixa
-- ARGV  interval_ms   no other claim probes for so long; 0 to ask without probing
--
-- Returns {1 if Dixa is down, time until the next probe (ms)}. 0 ms: the caller may probe now.
-- Before: up or down. After: unchanged, or with `interval_ms` a probe of the caller's has begun.
-- After a crash: the probe expires.
local down, probe, interval_ms = KEYS[1], KEYS[2], tonumber(ARGV[1])
if redis.call('EXISTS', down) == 0 then return {0, 0} end
local left = redis.call('PTTL', probe)
if left > 0 then return {1, left} end
if interval_ms > 0 then redis.call('SET', probe, '1', 'PX', interval_ms) end
return {1, 0}
