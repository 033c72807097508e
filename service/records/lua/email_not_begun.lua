-- The last dot of a mail was not sent after all: the replicas did not confirm the mark of begin_email in time.
-- KEYS: record, due offers
-- ARGV: none
-- States: delivering and reminding don't change.
-- A crash before it: the mail counts as delivered, with a note that nobody confirmed it.
if not exists() then return 'missing' end
local STAMPS = {delivering = 'mailed_at', reminding = 'reminder_mailed_at'}
local stamp = STAMPS[get('offer_state')]
if not stamp then return 'wrong_state' end
drop(stamp)
return 'not_begun'
