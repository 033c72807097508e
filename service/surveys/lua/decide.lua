-- The decision whether to ask, with its reason, always written.
-- KEYS: record, due offers
-- ARGV: fence, verdict (ask, skipped or cancelled), reason or '', language or '', keep (ms)
-- States: deciding → deciding (ask), skipped or cancelled.
-- A crash after `ask`: the journey comes due again and decides again.
if not is_mine('offer', ARGV[1]) then return 'stale' end
if get('offer_state') == ARGV[2] then return ARGV[2] end
if get('offer_state') ~= 'deciding' then return 'wrong_state' end
put('decided_at', text(now()), 'language', ARGV[4])
if ARGV[2] ~= 'ask' then finish('offer', ARGV[2], ARGV[3], ARGV[5]) end
return ARGV[2]
