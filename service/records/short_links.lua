-- A link goes out in a short text: find the survey's code, or give it this one, and let it lead to this signed link.
-- KEYS: the survey's code, the signed link of the new code
-- ARGV: new code, token of the signed link, how long both are kept (ms), what comes before a code in the name of its key
-- Answers the code, or nothing if another survey has the new one.
-- A script runs whole or not at all, so a code never leads nowhere. A retry, a reminder and a second worker get the
-- same code; it leads to the newest token, whose time counts from when it was signed.
local known = redis.call('GET', KEYS[1])
if not known and redis.call('EXISTS', KEYS[2]) == 1 then return false end
local code = known or ARGV[1]
redis.call('SET', KEYS[1], code, 'PX', ARGV[3])
redis.call('SET', ARGV[4] .. code, ARGV[2], 'PX', ARGV[3])
return code
