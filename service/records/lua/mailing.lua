-- Right before the one byte that hands a mail over: from here on nobody can say whether it went out until the server
-- answers, so it is never sent again.
-- KEYS: record, due offers
-- ARGV: none
-- States: delivering and reminding stay as they are; `begun` is said once, `again` to whoever comes later.
-- A crash right after it: the mail counts as delivered, and the record says that nobody confirmed it.
if redis.call('EXISTS', record) == 0 then return 'missing' end
local STAMP = {delivering = 'mailed_at', reminding = 'reminder_mailed_at'}
local stamp = STAMP[get('offer_state')]
if not stamp then return 'wrong_state' end
return redis.call('HSETNX', record, stamp, text(now())) == 1 and 'begun' or 'again'
