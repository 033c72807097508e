-- A call was sent and its answer was lost: look again after it has settled.
-- KEYS: record, due set
-- ARGV: journey, fence, reconcile_after (ms)
-- States: offering or submitting → unknown (with a call in flight).
-- A crash before it: the call stays marked, which means the same.
local journey = ARGV[1]
if not is_mine(journey, ARGV[2]) then return 'stale' end
if not is_open(journey) or not get(journey .. '_call') then return 'wrong_state' end
put(journey .. '_state', 'unknown')
drop(journey .. '_lease')
wake(journey, now() + tonumber(ARGV[3]))
return 'unknown'
