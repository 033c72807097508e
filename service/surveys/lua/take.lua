-- The relay takes what is due, to queue a task for each.
-- KEYS: a due set
-- ARGV: how many at most, pushed forward by (ms)
-- States: none changes. A crash right after it only delays: the members come due again.
local time = redis.call('TIME')
local moment = time[1] * 1000 + math.floor(time[2] / 1000)
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', moment, 'LIMIT', 0, ARGV[1])
for _, survey_id in ipairs(due) do
  redis.call('ZADD', KEYS[1], string.format('%.0f', moment + tonumber(ARGV[2])), survey_id)
end
return due
