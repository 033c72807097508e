-- The reminder is with the customer, or nothing is to come of it.
-- KEYS: record, due offers
-- ARGV: fence, keep (ms), a note or ''
-- States: reminding → delivered.
-- A crash before it: the channel is asked again, and finds what it delivered.
if not is_mine('offer', ARGV[1]) then return 'stale' end
if get('offer_state') == 'delivered' then return 'delivered' end
if get('offer_state') ~= 'reminding' then return 'wrong_state' end
put('reminded_at', text(now()))
if ARGV[3] ~= '' then put('delivery_note', ARGV[3]) end
finish('offer', 'delivered', '', ARGV[2])
return 'delivered'
