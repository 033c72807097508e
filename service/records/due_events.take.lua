-- A worker takes the next surveys with unsent events. They are due again after the lease.
-- KEYS: surveys with unsent events
-- ARGV: most surveys, lease (ms)
-- A crash right after it: the surveys come again.
local due = KEYS[1]
local most, lease_ms = unpack(ARGV)
local seconds, micros = unpack(redis.call('TIME'))
local moment = seconds * 1000 + math.floor(micros / 1000)
local found = redis.call('ZRANGEBYSCORE', due, '-inf', string.format('%.0f', moment), 'LIMIT', '0', most)
for _, survey_id in ipairs(found) do redis.call('ZADD', due, string.format('%.0f', moment + tonumber(lease_ms)), survey_id) end
return found
