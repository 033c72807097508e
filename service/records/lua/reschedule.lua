-- A task ends with work left: give the lease back and come due again later.
-- KEYS: record, due set
-- ARGV: journey, fence, delay (ms), 1 if a try failed, when what follows an answer was due (ms, or '')
-- States: none changes; a call in flight stays in flight.
-- A crash before it: the lease ends and the journey comes due again.
local journey = ARGV[1]
if not is_mine(journey, ARGV[2]) then return 'stale' end
if not is_open(journey) then return 'done' end
drop(journey .. '_lease')
-- A customer who changed the answer meanwhile has set another time: that one counts. What follows a changed answer
-- may be an alert, so it doesn't wait any longer.
local at, due = now() + tonumber(ARGV[3]), tonumber(get(journey .. '_due'))
local is_changed = journey == 'follow_up' and due ~= tonumber(ARGV[5])
wake(journey, is_changed and due or math.max(at, due))
if ARGV[4] == '1' then redis.call('HINCRBY', record, journey .. '_tries', 1) end
return 'rescheduled'
