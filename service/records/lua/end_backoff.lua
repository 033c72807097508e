-- Dixa works again: a journey that failed meanwhile is due now, and doesn't wait for the rest of its backoff.
-- KEYS: record, due set
-- ARGV: journey
-- States: none changes. A call in flight still waits until its outcome must be visible, and a delay or reminder for its time.
-- A crash before it: the journey comes due later.
local journey = unpack(ARGV)
local moment = now()
-- The other open states wait for a time, not for Dixa.
local BACKS_OFF = {
  deciding = true, offering = true, offered = true, delivering = true, submitting = true, following = true,
}
if not is_open(journey) then return 'done' end
local lease, due = tonumber(get(journey .. '_lease') or 0), tonumber(get(journey .. '_due') or 0)
local backs_off = BACKS_OFF[get(journey .. '_state')] and get(journey .. '_tries') and not get(journey .. '_call')
if lease > moment or due <= moment or not backs_off then return 'unchanged' end
schedule(journey, moment)
return 'due_now'
