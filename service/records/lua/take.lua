-- The relay takes what is due, to queue a task for each: first what is nearest to the end.
-- KEYS: a due set
-- ARGV: how many at most, pushed forward by (ms)
-- States: none changes. A crash right after it only delays: the members come due again.
local time = redis.call('TIME')
local moment = time[1] * 1000 + math.floor(time[2] / 1000)
local again_at, first = string.format('%.0f', moment + tonumber(ARGV[2])), KEYS[1] .. ':first'
local taken = {}

local function take(key)
  for _, survey_id in ipairs(redis.call('ZRANGEBYSCORE', key, '-inf', moment, 'LIMIT', 0, ARGV[1] - #taken)) do
    redis.call('ZADD', KEYS[1], again_at, survey_id)
    redis.call('ZREM', first, survey_id)
    table.insert(taken, survey_id)
  end
end

take(first)
take(KEYS[1])
return taken
