-- The customer has the link.
-- KEYS: record, due offers
-- ARGV: fence, retention (ms), a note or '', time until the reminder (ms, or '' for none)
-- States: delivering → delivered, or reminding.
-- A crash before it: the same channel delivers again, and finds its earlier delivery.
local fence, keep_ms, note, remind_after_ms = unpack(ARGV)
local state = get('offer_state')
if state == 'delivered' or state == 'reminding' then return state end
if not is_current('offer', fence) then return 'stale' end
if state ~= 'delivering' then return 'wrong_state' end
put('delivered_at', text(now()))
if note ~= '' then put('delivery_note', note) end
if remind_after_ms ~= '' then
  -- `cancel` may end this state, and doesn't know the terms.
  put('offer_state', 'reminding', 'keep_ms', keep_ms)
  drop('offer_lease', 'offer_tries', 'cooldown_slots')
  schedule('offer', now() + tonumber(remind_after_ms))
  return 'reminding'
end
finish('offer', 'delivered', '', keep_ms)
return 'delivered'
