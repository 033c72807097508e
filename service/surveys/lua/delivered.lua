-- The link is with the customer.
-- KEYS: record, due offers
-- ARGV: fence, keep (ms)
-- States: delivering → delivered.
-- A crash before it: the channel is asked again, and finds what it delivered.
if get('offer_state') == 'delivered' then return 'delivered' end
if not is_mine('offer', ARGV[1]) then return 'stale' end
if get('offer_state') ~= 'delivering' then return 'wrong_state' end
put('delivered_at', text(now()))
finish('offer', 'delivered', '', ARGV[2])
return 'delivered'
