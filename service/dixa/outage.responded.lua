-- Count a good response of Dixa's. It ends a row of failures; enough of them in a row end an outage.
--
-- KEYS  failing    string: conversations with a failed call since Dixa's last good response, separated by spaces
--       down       string: begin of the outage (ms), if there is one
--       probe      string: a claim is probing Dixa
--       past       sorted set: past outages, begin (ms) by end (ms)
--       responses  counter: good responses in a row during the outage
-- ARGV  retention_ms   how long past outages are kept
--       min_ms         shorter outages are not kept
--       max_kept       the number of past outages kept
--       threshold      number of good responses to end an outage
--
-- Returns {length of the outage (s), or '' if none has ended; the failing conversations}.
-- Before: up or down. After: up without failures; or down with one more response, and the next probe allowed.
-- After a crash: the failed surveys wait for their own retries instead of becoming due at once.
local failing, down, probe, past, responses = unpack(KEYS)
local retention_ms, min_ms = tonumber(ARGV[1]), tonumber(ARGV[2])
local max_kept, threshold = tonumber(ARGV[3]), tonumber(ARGV[4])
local since = redis.call('GET', down)
if not since then
  redis.call('DEL', failing)
  return {'', {}}
end
redis.call('DEL', probe)
if redis.call('INCR', responses) < threshold then return {'', {}} end
local failed = {}
for each in string.gmatch(redis.call('GET', failing) or '', '%S+') do table.insert(failed, each) end
local seconds, microseconds = unpack(redis.call('TIME'))
local now = seconds * 1000 + math.floor(microseconds / 1000)
redis.call('DEL', failing, down, responses)
local lasted = now - tonumber(since)
if lasted >= min_ms then
  redis.call('ZADD', past, string.format('%.0f', now), since)
  redis.call('ZREMRANGEBYSCORE', past, '-inf', string.format('%.0f', now - retention_ms))
  redis.call('ZREMRANGEBYRANK', past, 0, -max_kept - 1)
  redis.call('PEXPIRE', past, retention_ms)
end
return {string.format('%.0f', math.max(lasted / 1000, 1)), failed}
