-- Hold everybody back from now on, unless a longer pause is on.
-- KEYS: the pause of all
-- ARGV: length (ms)
-- A crash after it: the pause ends by itself.
local time = redis.call('TIME')
local ends = time[1] * 1000 + time[2] / 1000 + tonumber(ARGV[1])
if ends <= tonumber(redis.call('GET', KEYS[1]) or 0) then return end
redis.call('SET', KEYS[1], string.format('%.3f', ends), 'PX', math.max(tonumber(ARGV[1]), 1))
