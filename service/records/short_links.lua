-- A link goes out in a short text: find the code of the survey, or give it this one, and point it at this signed link.
-- KEYS: code of the survey, signed link of the new code
-- ARGV: new code, token of the signed link, retention of both (ms), prefix of the keys of codes
-- Returns the code, or nothing if another survey has the new one.
-- Redis runs a script as a whole, so every code leads to a link. A retry, a reminder and a second worker get the same code,
-- and it leads to the newest token, whose expiry counts from its own signing.
local code_key, link_key = unpack(KEYS)
local new_code, token, keep_ms, prefix = unpack(ARGV)
local known = redis.call('GET', code_key)
if not known and redis.call('EXISTS', link_key) == 1 then return false end
local code = known or new_code
redis.call('SET', code_key, code, 'PX', keep_ms)
redis.call('SET', prefix .. code, token, 'PX', keep_ms)
return code
