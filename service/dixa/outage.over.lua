-- Dixa has answered: nothing fails in a row, and an outage is over.
-- KEYS: the conversations that have failed since Dixa answered last, since when Dixa is down (ms), somebody looks,
--       past outages by their end (ms)
-- ARGV: how long those are remembered (ms)
-- Answers {how long it was down (s), or '', the conversations whose calls had told of it}.
-- A crash after it: what has failed waits out its own pauses.
local failing, down, probe, past = unpack(KEYS)
local keep_ms = tonumber(ARGV[1])
local since = redis.call('GET', down)
if not since then
  redis.call('DEL', failing)
  return {'', {}}
end
local failed = redis.call('SMEMBERS', failing)
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('DEL', failing, down, probe)
redis.call('ZADD', past, string.format('%.0f', now), since)
redis.call('ZREMRANGEBYSCORE', past, '-inf', string.format('%.0f', now - keep_ms))
redis.call('PEXPIRE', past, keep_ms)
return {string.format('%.0f', math.max((now - tonumber(since)) / 1000, 1)), failed}
