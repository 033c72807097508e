-- Events of a survey were sent or given up: forget them, unless the same has happened again meanwhile. The rest is due later.
-- KEYS: record, surveys with unsent events
-- ARGV: survey id, wait for the rest (ms), then name and time (ms) of each event
-- A record that is gone or erased has no events.
-- A crash before it: the events are sent again, with the same ids.
local record, due = unpack(KEYS)
local survey_id, wait_ms = unpack(ARGV)
local unsent = cjson.decode(redis.call('HGET', record, 'unsent_events') or '{}')
for place = 3, #ARGV, 2 do
  if unsent[ARGV[place]] == ARGV[place + 1] then unsent[ARGV[place]] = nil end
end
if next(unsent) then
  local seconds, micros = unpack(redis.call('TIME'))
  local at = seconds * 1000 + math.floor(micros / 1000) + tonumber(wait_ms)
  redis.call('HSET', record, 'unsent_events', cjson.encode(unsent))
  redis.call('ZADD', due, string.format('%.0f', at), survey_id)
else
  redis.call('HDEL', record, 'unsent_events')
  redis.call('ZREM', due, survey_id)
end
return redis.status_reply('OK')
