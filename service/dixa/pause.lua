-- Pause all tokens, or begin the cooldown of one, from now on. A longer one already set stays.
--
-- KEYS  the end of the pause or cooldown (ms of Redis's clock)
-- ARGV  length_ms      of the pause
--       max_pause_ms   the longest one ever written
--
-- Before: any state. After: it ends `length_ms` from now, or later.
-- After a crash it ends by itself.
local length_ms, max_pause_ms = tonumber(ARGV[1]), tonumber(ARGV[2])
local seconds, microseconds = unpack(redis.call('TIME'))
local now = seconds * 1000 + microseconds / 1000
local ends, before = now + length_ms, tonumber(redis.call('GET', KEYS[1]) or 0)
-- An end further ahead than `max_pause_ms` was written before Redis's clock stepped back: it does not count.
if ends <= before and before <= now + max_pause_ms then return end
redis.call('SET', KEYS[1], string.format('%.3f', ends), 'PX', length_ms)
