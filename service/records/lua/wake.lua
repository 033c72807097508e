-- Dixa works again: what has failed meanwhile is due at once, and doesn't wait out a pause of its own.
-- KEYS: record, due set
-- ARGV: journey
-- States: none changes. A call in flight waits until it has settled, and what waits for a time waits for that.
-- A crash before it: it comes due later.
local journey, moment = ARGV[1], now()
-- What waits in other states waits for a time, not for Dixa.
local FAILS = {deciding = true, offering = true, offered = true, delivering = true, submitting = true, following = true}
if not is_open(journey) then return 'done' end
local lease, due = tonumber(get(journey .. '_lease') or 0), tonumber(get(journey .. '_due') or 0)
local has_failed = FAILS[get(journey .. '_state')] and get(journey .. '_tries') and not get(journey .. '_call')
if lease > moment or due <= moment or not has_failed then return 'left' end
wake(journey, moment)
return 'woken'
