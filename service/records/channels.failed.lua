-- A channel has failed. If the cause may be the customer, only several surveys in a row pause it.
-- KEYS: channels down, pause of the channel, surveys failing in a row, surveys failing alone, pause of this survey
-- ARGV: channel, survey id, problem, number of surveys that pause it, first pause (ms), longest pause (ms), retention of all
--       this (ms)
-- Returns 1 if the channel is newly down. Each further survey doubles the pause. A failed survey pauses for longer than the
-- others, so the next try is another's.
-- A crash after it: when the pause has ended, the next survey tries the channel.
local down, pause, failing, alone, own_pause = unpack(KEYS)
local channel, survey_id, problem, enough, first_ms, longest_ms, keep_ms = unpack(ARGV)
local before = redis.call('HGET', down, channel)

local function text(number) return string.format('%.0f', number) end

local function pause_own(wait_ms) redis.call('SET', own_pause, '', 'PX', text(wait_ms + first_ms)) end

-- Others have succeeded since it failed, so the problem is this survey's own.
if not before and redis.call('HGET', alone, survey_id) then
  pause_own(first_ms)
  return 0
end
-- This delivery started before the channel was paused, so its failure is no news.
if before and redis.call('GET', pause) == '' then
  pause_own(math.max(redis.call('PTTL', pause), 0))
  return 0
end
redis.call('SADD', failing, survey_id)
redis.call('PEXPIRE', failing, keep_ms)
if not before then
  if redis.call('SCARD', failing) < tonumber(enough) then return 0 end
  redis.call('DEL', failing)
  redis.call('SADD', failing, survey_id)
end
local wait_ms = math.min(first_ms * 2 ^ (redis.call('SCARD', failing) - 1), tonumber(longest_ms))
redis.call('SET', pause, '', 'PX', text(wait_ms))
pause_own(wait_ms)
local since = before and string.match(before, '^%d+') or text(redis.call('TIME')[1] * 1000)
redis.call('HSET', down, channel, since .. ' ' .. problem)
redis.call('PEXPIRE', failing, keep_ms)
redis.call('PEXPIRE', down, keep_ms)
return before and 0 or 1
