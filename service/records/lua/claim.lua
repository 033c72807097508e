-- A task begins: take the lease on a journey that is due, with a new fence.
-- KEYS: record, due set, when Redis was restored from a backup, whether spools are being drained, whether an operator
--       has paused all asking
-- ARGV: survey id, journey, lease (ms), the longest lease that there is (ms)
-- States: waiting → deciding; every other open state stays as it is.
-- A crash right after it: the lease ends and the journey comes due again.
local journey, moment = ARGV[2], now()
local OVER = {delivered = true, skipped = true, cancelled = true, dead = true, submitted = true, followed = true}
local state = get(journey .. '_state')
if not state or OVER[state] then
  redis.call('ZREM', due_set, ARGV[1])
  return {redis.call('EXISTS', record) == 1 and 'done' or 'missing'}
elseif not OPEN[state] then
  -- A newer version works beside this one, or did: the record is that one's to go on with.
  redis.call('ZADD', due_set, text(moment + tonumber(ARGV[3])), ARGV[1])
  return {'newer'}
end
local lease, due = tonumber(get(journey .. '_lease') or 0), tonumber(get(journey .. '_due'))
-- No lease is longer than this: the clock has been set back since, and whoever had it would have to wait that long.
if lease > moment + tonumber(ARGV[4]) then lease = 0 end
if lease > moment or due > moment then
  redis.call('ZADD', due_set, text(math.max(lease, due)), ARGV[1])
  return {lease > moment and 'leased' or 'early'}
end
-- A spool may hold a later answer than the record does: of somebody who is not to be reminded any more, too.
local is_about_answer = journey == 'answer' or get('offer_state') == 'reminding'
if is_about_answer and redis.call('EXISTS', KEYS[4]) == 1 then
  redis.call('ZADD', due_set, text(moment + 1000), ARGV[1])
  return {'early'}
end
-- A call in flight is looked for all the same.
if journey == 'offer' and not get('offer_call') and redis.call('EXISTS', KEYS[5]) == 1 then
  redis.call('ZADD', due_set, text(moment + 10000), ARGV[1])
  return {'paused'}
end
local fence = redis.call('HINCRBY', record, journey .. '_fence', 1)
put(journey .. '_lease', text(moment + tonumber(ARGV[3])))
redis.call('ZADD', due_set, text(moment + tonumber(ARGV[3])), ARGV[1])
go_first(journey, moment + tonumber(ARGV[3]))
-- What a backup says may be older than what was done: look at Dixa before every call for it.
local restored_at = tonumber(redis.call('GET', KEYS[3]) or 0)
if tonumber(get('accepted_at')) <= restored_at then put('look_first', '1') end
if get(journey .. '_state') == 'waiting' then put('offer_state', 'deciding') end
return {'claimed', fence, text(moment), redis.call('HGETALL', record)}
