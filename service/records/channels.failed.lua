-- A channel has failed, and that seems to be about no customer. Enough of that in a row, and nobody uses it for a while.
-- KEYS: channels down, its pause, surveys failing in a row, surveys failing alone, the survey's own pause
-- ARGV: channel, survey id, what is wrong, how many surveys are enough, the first pause (ms), the longest (ms), how long all
--       that is remembered (ms)
-- Answers 1 if that is new. The pause doubles with each further survey. Who has failed pauses for longer than the others,
-- so that one of them tries it first.
-- A crash after it: when the pause is over, whoever comes next tries the channel.
local down, pause, failing, alone, own_pause = unpack(KEYS)
local channel, survey_id, problem = unpack(ARGV)
local enough, first_ms, longest_ms, keep_ms = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6]), ARGV[7]
local before = redis.call('HGET', down, channel)

local function pause_own(wait_ms) redis.call('SET', own_pause, '', 'PX', string.format('%.0f', wait_ms + first_ms)) end

-- Others have got through since it failed: it is about this one, whatever it looks like.
if not before and redis.call('HGET', alone, survey_id) then
  pause_own(first_ms)
  return 0
end
-- What was on its way when another failed tells nothing new.
if before and redis.call('GET', pause) == '' then
  pause_own(math.max(redis.call('PTTL', pause), 0))
  return 0
end
redis.call('SADD', failing, survey_id)
redis.call('PEXPIRE', failing, keep_ms)
if not before then
  if redis.call('SCARD', failing) < enough then return 0 end
  redis.call('DEL', failing)
  redis.call('SADD', failing, survey_id)
end
local wait_ms = math.min(first_ms * 2 ^ (redis.call('SCARD', failing) - 1), longest_ms)
redis.call('SET', pause, '', 'PX', string.format('%.0f', wait_ms))
pause_own(wait_ms)
local time = redis.call('TIME')
local since = before and string.match(before, '^%d+') or string.format('%.0f', time[1] * 1000)
redis.call('HSET', down, channel, since .. ' ' .. problem)
redis.call('PEXPIRE', failing, keep_ms)
redis.call('PEXPIRE', down, keep_ms)
return before and 0 or 1
