-- A task ends with work left: give the lease back and come due again later.
-- KEYS: record, due set
-- ARGV: journey, fence, delay (ms), 1 if a try failed
-- States: none changes; a call in flight stays in flight.
-- A crash before it: the lease ends and the journey comes due again.
local journey = ARGV[1]
if not is_mine(journey, ARGV[2]) then return 'stale' end
if not is_open(journey) then return 'done' end
drop(journey .. '_lease')
-- A customer who changed the answer meanwhile has set a later time: that one counts.
wake(journey, math.max(now() + tonumber(ARGV[3]), tonumber(get(journey .. '_due'))))
if ARGV[4] == '1' then redis.call('HINCRBY', record, journey .. '_tries', 1) end
return 'rescheduled'
