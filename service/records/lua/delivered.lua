-- The link is with the customer.
-- KEYS: record, due offers
-- ARGV: fence, keep (ms), a note or '', when to remind after it (ms, or '')
-- States: delivering → delivered, or reminding.
-- A crash before it: the channel is asked again, and finds what it delivered.
local state = get('offer_state')
if state == 'delivered' or state == 'reminding' then return state end
if not is_mine('offer', ARGV[1]) then return 'stale' end
if state ~= 'delivering' then return 'wrong_state' end
put('delivered_at', text(now()))
if ARGV[3] ~= '' then put('delivery_note', ARGV[3]) end
if ARGV[4] ~= '' then
  put('offer_state', 'reminding')
  drop('offer_lease', 'offer_tries', 'turns')
  wake('offer', now() + tonumber(ARGV[4]))
  return 'reminding'
end
finish('offer', 'delivered', '', ARGV[2])
return 'delivered'
