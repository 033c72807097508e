-- The call in flight did not happen. Forget it and retry later.
-- KEYS: record, due set
-- ARGV: journey, fence, delay (ms), 1 if it was sent and Dixa may still execute it, 1 if it counts as a failed try
-- States: offering or unknown → deciding (no offer yet) or offering; submitting or unknown → submitting.
-- A crash before it: the call stays in flight and its outcome is looked up.
local journey, fence, delay_ms, may_still_happen, counts_as_try = unpack(ARGV)
if not is_current(journey, fence) then return 'stale' end
if not is_open(journey) or not get(journey .. '_call') then return 'wrong_state' end
local to = 'submitting'
if journey == 'offer' then to = has_offer() and 'offering' or 'deciding' end
-- Keep the rating ids from before the first try. If Dixa executes this call after all, its offer is the one not among them.
if journey == 'offer' and may_still_happen == '1' and not get('offer_before') then put('offer_before', get('offer_seen')) end
put(journey .. '_state', to)
forget_call(journey)
drop(journey .. '_lease')
schedule(journey, now() + tonumber(delay_ms))
if counts_as_try == '1' then increase(journey .. '_tries') end
return to
