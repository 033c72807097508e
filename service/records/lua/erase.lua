-- The conversation was anonymised, or an operator wants it: all journeys end, and what is about the customer is forgotten.
-- KEYS: record, due offers, due answers, due follow-ups, decisions of the day, the sign that Redis' own log has it yet
-- ARGV: keep (ms)
-- States: every offer → cancelled; an answer and what follows it → dead, but submitted and followed stay: what was done
-- isn't done again. All have the reason erased from then on, and the link leads to nothing any more.
-- A worker that is on its way has a stale fence: nothing that it writes counts. What it calls by then can't be undone.
-- A crash leaves it erased or not; erasing it again changes nothing.
if redis.call('EXISTS', record) == 0 then return 'missing' end
local asked = {reminding = true, delivered = true}
if is_open('offer') and not asked[get('offer_state')] then count_decision(KEYS[5], 'erased') end
local STAYS = {submitted = true, followed = true}
for number, journey in ipairs({'offer', 'answer', 'follow_up'}) do
  local state = get(journey .. '_state')
  if state then
    due_set = KEYS[number + 1]
    redis.call('HINCRBY', record, journey .. '_fence', 1)
    forget_call(journey)
    local ended_at = get(journey .. '_ended_at')
    finish(journey, journey == 'offer' and 'cancelled' or STAYS[state] and state or 'dead', 'erased', ARGV[1])
    if ended_at then put(journey .. '_ended_at', ended_at) end
  end
end
forget_customer()
redis.call('PEXPIRE', record, ARGV[1])
redis.call('SET', KEYS[6], '1')
return 'erased'
