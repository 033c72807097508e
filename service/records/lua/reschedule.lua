-- A task ends with work left: return the lease and come due again later.
-- KEYS: record, due set
-- ARGV: journey, fence, delay (ms), 1 if a try failed, time the follow-up was due when claimed (ms, or '')
-- States: none changes. A call in flight stays in flight.
-- A crash before it: the lease ends and the journey comes due again.
local journey, fence, delay_ms, has_failed, was_due = unpack(ARGV)
if not is_current(journey, fence) then return 'stale' end
if not is_open(journey) then return 'done' end
drop(journey .. '_lease')
-- A customer who changed the answer meanwhile has moved the due time, and a later one counts. A follow-up keeps the new
-- time even if it is earlier: it may be an alert, so it must not wait for the delay.
local at, due = now() + tonumber(delay_ms), tonumber(get(journey .. '_due'))
local is_changed = journey == 'follow_up' and due ~= tonumber(was_due)
schedule(journey, is_changed and due or math.max(at, due))
if has_failed == '1' then increase(journey .. '_tries') end
return 'rescheduled'
