-- A call was sent and its response was lost. Its outcome is looked up once it must be visible.
-- KEYS: record, due set
-- ARGV: journey, fence, time until then (ms)
-- States: offering or submitting → unknown (with the call in flight).
-- A crash before it: the call stays in flight, which has the same meaning.
local journey, fence, reconcile_after_ms = unpack(ARGV)
if not is_current(journey, fence) then return 'stale' end
if not is_open(journey) or not get(journey .. '_call') then return 'wrong_state' end
put(journey .. '_state', 'unknown')
drop(journey .. '_lease')
schedule(journey, now() + tonumber(reconcile_after_ms))
return 'unknown'
