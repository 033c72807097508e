-- Something went through a channel: it works, and who has failed before has failed alone.
-- KEYS: channels down, its pause, surveys failing in a row, surveys failing alone, the survey's own pause
-- ARGV: channel, survey id, how long all that is remembered (ms)
-- Answers 1 if it was down.
-- A crash before it: the next one that gets through says so.
local down, pause, failing, alone, own_pause = unpack(KEYS)
local channel, survey_id, keep_ms = unpack(ARGV)
for _, each in ipairs(redis.call('SMEMBERS', failing)) do
  redis.call('HSET', alone, each, '')
  redis.call('PEXPIRE', alone, keep_ms)
end
redis.call('HDEL', alone, survey_id)
redis.call('DEL', failing, own_pause)
if redis.call('HDEL', down, channel) == 0 then return 0 end
redis.call('DEL', pause)
return 1
