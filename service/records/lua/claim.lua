-- A task starts: take the lease on a due journey, with a new fence.
-- KEYS: record, due set, time of the last restore from a backup, sign that spools are being drained, sign that an operator
--       has paused all surveys
-- ARGV: survey id, journey, lease (ms), longest possible lease (ms), retry while spools are drained (ms), retry while paused
--       (ms)
-- States: waiting → deciding. Other open states don't change.
-- A crash right after it: the lease ends and the journey comes due again.
local survey_id, journey, lease_ms, max_lease_ms, drain_wait_ms, pause_wait_ms = unpack(ARGV)
local restored_at, is_draining, is_paused = unpack(redis.call('MGET', unpack(KEYS, 3)))
local moment = now()
local state = get(journey .. '_state')

local function come_back(at) redis.call('ZADD', due_set, text(at), survey_id) end

if not state or OVER[state] then
  redis.call('ZREM', due_set, survey_id)
  return {exists() and 'done' or 'missing'}
elseif not OPEN[state] then
  -- A newer version runs, or ran, beside this one during a deploy. It continues with this record.
  come_back(moment + tonumber(lease_ms))
  return {'newer'}
end
local lease, due = tonumber(get(journey .. '_lease') or 0), tonumber(get(journey .. '_due'))
-- No lease is this long, so Redis's clock was set back since. Without this, the survey would wait for the difference.
if lease > moment + tonumber(max_lease_ms) then lease = 0 end
if lease > moment or due > moment then
  come_back(math.max(lease, due))
  return {lease > moment and 'leased' or 'early'}
end
-- A spool may hold a later answer than the record, or the answer of a customer due for a reminder.
local needs_answer = journey == 'answer' or get('offer_state') == 'reminding'
if needs_answer and is_draining then
  come_back(moment + tonumber(drain_wait_ms))
  return {'early'}
end
-- A pause stops new calls. The outcome of a call in flight is still looked up.
if journey == 'offer' and not get('offer_call') and is_paused then
  come_back(moment + tonumber(pause_wait_ms))
  return {'paused'}
end
local fence, ends_at = increase(journey .. '_fence'), moment + tonumber(lease_ms)
put(journey .. '_lease', text(ends_at))
come_back(ends_at)
prioritize(journey, ends_at)
-- A record from a backup may be older than the calls made for it. Reconcile it with Dixa before each call.
if tonumber(get('accepted_at')) <= tonumber(restored_at or 0) then put('reconcile_first', '1') end
if get(journey .. '_state') == 'waiting' then put('offer_state', 'deciding') end
return {'claimed', fence, text(moment), flatten(read())}
