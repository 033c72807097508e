-- Hold everybody back from now on, or one token, unless a longer pause is on.
-- KEYS: the pause of all, or that of a token
-- ARGV: length (ms)
-- A crash after it: the pause ends by itself.
-- A pause that ends later than any can was written before Redis' clock stepped back: it isn't on.
local LONGEST_PAUSE = 300000
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local ends, before = now + tonumber(ARGV[1]), tonumber(redis.call('GET', KEYS[1]) or 0)
if ends <= before and before <= now + LONGEST_PAUSE then return end
redis.call('SET', KEYS[1], string.format('%.3f', ends), 'PX', math.max(tonumber(ARGV[1]), 1))
