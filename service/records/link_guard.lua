-- A form was posted to a link: count it, and say how many there were within the time and how long it still is (ms).
-- KEYS: the count, begun by the first post and gone when its time is over
-- ARGV: how long posts are counted together (ms)
-- A count that lost its expiry gets it back with the next post; no answer depends on it.
local posts = redis.call('INCR', KEYS[1])
if redis.call('PTTL', KEYS[1]) < 0 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return {posts, redis.call('PTTL', KEYS[1])}
