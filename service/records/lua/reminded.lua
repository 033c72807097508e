-- The customer has the reminder, or none is sent.
-- KEYS: record, due offers
-- ARGV: fence, retention (ms), a note or ''
-- States: reminding → delivered.
-- A crash before it: the same channel delivers again, and finds its earlier delivery.
local fence, keep_ms, note = unpack(ARGV)
if not is_current('offer', fence) then return 'stale' end
if get('offer_state') == 'delivered' then return 'delivered' end
if get('offer_state') ~= 'reminding' then return 'wrong_state' end
put('reminded_at', text(now()))
if note ~= '' then put('delivery_note', note) end
finish('offer', 'delivered', '', keep_ms)
return 'delivered'
