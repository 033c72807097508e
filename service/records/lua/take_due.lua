-- The relay takes due surveys and queues a task for each. Surveys closest to their end come first.
-- KEYS: a due set
-- ARGV: maximum, time until they are due again (ms)
-- States: none changes.
-- A crash right after it only delays: the surveys come due again.
local limit, requeue_after_ms = unpack(ARGV)
local due_key, first_key = KEYS[1], KEYS[1] .. ':first'
local moment = now()
local due_again = text(moment + tonumber(requeue_after_ms))
local taken = {}

local function take_from(key)
  for _, survey_id in ipairs(redis.call('ZRANGEBYSCORE', key, '-inf', moment, 'LIMIT', 0, limit - #taken)) do
    redis.call('ZADD', due_key, due_again, survey_id)
    redis.call('ZREM', first_key, survey_id)
    table.insert(taken, survey_id)
  end
end

take_from(first_key)
take_from(due_key)
return taken
