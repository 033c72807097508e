-- The conversation was anonymised: end all journeys and forget the customer.
-- KEYS: record, due offers, due answers, due follow-ups, decision counts of the day, sign that Redis's own file still has the
--       erased data
-- ARGV: retention (ms)
-- States: every offer → cancelled. An answer and a follow-up → failed, except submitted and followed: those stay. All have the
-- reason `erased` from then on, and the link no longer works.
-- A crash leaves it erased or not. A second run only restarts the record's retention.
local keep_ms = unpack(ARGV)
local DUE_SETS = {offer = KEYS[2], answer = KEYS[3], follow_up = KEYS[4]}
local counts, erased_key = KEYS[5], KEYS[6]
if not exists() then return 'missing' end
-- A customer with the link was asked.
if is_open('offer') and get('offer_state') ~= 'reminding' then count_decision(counts, 'erased') end

local function end_state(journey, state)
  if journey == 'offer' then return 'cancelled' end
  return (state == 'submitted' or state == 'followed') and state or 'failed'
end

for _, journey in ipairs({'offer', 'answer', 'follow_up'}) do
  local state = get(journey .. '_state')
  if state then
    due_set = DUE_SETS[journey]
    -- A worker in the middle of this journey now has a stale fence and writes nothing. Its call can't be undone.
    increase(journey .. '_fence')
    forget_call(journey)
    local ended_at = get(journey .. '_ended_at')
    finish(journey, end_state(journey, state), 'erased', keep_ms)
    if ended_at then put(journey .. '_ended_at', ended_at) end
  end
end
redis.call('SET', erased_key, '1')
return 'erased'
