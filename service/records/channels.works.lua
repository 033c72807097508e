-- A channel has delivered, so it works. The surveys that failed before have a problem of their own.
-- KEYS: channels down, pause of the channel, surveys failing in a row, surveys failing alone, pause of this survey
-- ARGV: channel, survey id, retention of all this (ms)
-- Returns 1 if the channel was down.
-- A crash before it: the next delivery writes the same.
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
