-- A journey fails: another try is useless, or it was tried for too long. An operator may retry it.
-- KEYS: record, due set, decision counts of the day
-- ARGV: journey, fence, reason, retention (ms), how long the address and the comment are kept for a retry (ms)
-- States: every open state → failed.
-- A crash before it: the journey comes due again and ends the same way.
local journey, fence, reason, keep_ms, retry_ms = unpack(ARGV)
local counts = KEYS[3]
if not is_current(journey, fence) then return 'stale' end
if get(journey .. '_state') == 'failed' then return 'failed' end
if not is_open(journey) then return 'wrong_state' end
-- A failed offer doesn't count as asked.
if journey == 'offer' then count_decision(counts, reason) end
finish(journey, 'failed', reason, keep_ms, retry_ms)
return 'failed'
