-- Dixa has answered: nothing fails in a row, and after enough answers in a row an outage is over.
-- KEYS: the conversations that have failed since Dixa answered last, since when Dixa is down (ms), somebody looks,
--       past outages by their end (ms), answers in a row while it is down
-- ARGV: how long those are remembered (ms), how long the shortest of them is (ms), how many there are at most, how many
--       answers are enough
-- Answers {how long it was down (s), or '', the conversations whose calls had told of it}.
-- A crash after it: what has failed waits out its own pauses.
local failing, down, probe, past, answers = unpack(KEYS)
local keep_ms, shortest_ms, most, enough = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local since = redis.call('GET', down)
if not since then
  redis.call('DEL', failing)
  return {'', {}}
end
-- The next look needn't wait.
redis.call('DEL', probe)
if redis.call('INCR', answers) < enough then return {'', {}} end
local failed = redis.call('SMEMBERS', failing)
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('DEL', failing, down, answers)
local lasted = now - tonumber(since)
if lasted >= shortest_ms then
  redis.call('ZADD', past, string.format('%.0f', now), since)
  redis.call('ZREMRANGEBYSCORE', past, '-inf', string.format('%.0f', now - keep_ms))
  redis.call('ZREMRANGEBYRANK', past, 0, -most - 1)
  redis.call('PEXPIRE', past, keep_ms)
end
return {string.format('%.0f', math.max(lasted / 1000, 1)), failed}
