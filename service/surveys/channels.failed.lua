-- A channel has failed, and that is about no customer: nobody uses it for a while, whoever has failed included.
-- KEYS: channels that are down, its pause, the surveys that have failed in a row
-- ARGV: channel, survey id, what is wrong, the first pause (ms), the longest (ms), how long all that is remembered (ms)
-- Answers 1 if that is new. The pause doubles with each further survey.
-- A crash after it: when the pause is over, whoever comes next tries the channel.
local down, pause, failing = unpack(KEYS)
local channel, survey_id, problem = unpack(ARGV)
local first_ms, longest_ms, keep_ms = tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6]
local before = redis.call('HGET', down, channel)
-- What was on its way when another failed tells nothing new.
if before and redis.call('GET', pause) == '' then return 0 end
redis.call('SADD', failing, survey_id)
local wait_ms = math.min(first_ms * 2 ^ (redis.call('SCARD', failing) - 1), longest_ms)
redis.call('SET', pause, '', 'PX', string.format('%.0f', wait_ms))
local time = redis.call('TIME')
local since = before and string.match(before, '^%d+') or string.format('%.0f', time[1] * 1000)
redis.call('HSET', down, channel, since .. ' ' .. problem)
redis.call('PEXPIRE', failing, keep_ms)
redis.call('PEXPIRE', down, keep_ms)
return before and 0 or 1
