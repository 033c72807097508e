-- While Dixa is down one claim looks whether it is back.
-- KEYS: since when Dixa is down (ms), somebody looks
-- ARGV: how long nobody else does (ms), or 0 to see whether somebody may
-- Answers {1 if Dixa is down, how long to wait (ms)}: 0 is leave to look.
-- A crash after it: the leave ends by itself.
local down, probe, every_ms = KEYS[1], KEYS[2], tonumber(ARGV[1])
if redis.call('EXISTS', down) == 0 then return {0, 0} end
local left = redis.call('PTTL', probe)
if left > 0 then return {1, left} end
if every_ms > 0 then redis.call('SET', probe, '1', 'PX', every_ms) end
return {1, 0}
