-- The last dot of a mail is about to be sent: write that first. From here until the server's response nobody knows whether
-- the mail went out, so only a refusal by the server allows another.
-- KEYS: record, due offers
-- ARGV: none
-- States: delivering and reminding don't change. Returns `begun` once, and `begun_before` to every later caller.
-- A crash right after it: the mail counts as delivered, with a note that nobody confirmed it.
if not exists() then return 'missing' end
local STAMPS = {delivering = 'mailed_at', reminding = 'reminder_mailed_at'}
local stamp = STAMPS[get('offer_state')]
if not stamp then return 'wrong_state' end
if get(stamp) then return 'begun_before' end
put(stamp, text(now()))
return 'begun'
