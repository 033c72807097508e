-- A link was opened with a score in it: say whether a machine opens it, with 1 or 0.
-- KEYS: the scores that it was opened with lately
-- ARGV: score, how long an opening counts (ms), how long a machine is remembered (ms)
-- Two different scores within that time are a machine's, which follows every link. A crash leaves the set without
-- an expiry at worst until the next opening; no answer depends on it.
redis.call('SADD', KEYS[1], ARGV[1])
local is_machine = redis.call('SCARD', KEYS[1]) > 1
redis.call('PEXPIRE', KEYS[1], is_machine and ARGV[3] or ARGV[2])
return is_machine and 1 or 0
