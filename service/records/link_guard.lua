-- A form was posted to a link: count it. Returns the posts of this period, and the rest of the period (ms).
-- KEYS: the count, created by the first post, which expires with its period
-- ARGV: length of a period (ms)
-- A count that lost its expiry gets a new one with the next post.
local count, period_ms = KEYS[1], ARGV[1]
local posts = redis.call('INCR', count)
local left_ms = redis.call('PTTL', count)
if left_ms >= 0 then return {posts, left_ms} end
redis.call('PEXPIRE', count, period_ms)
return {posts, tonumber(period_ms)}
