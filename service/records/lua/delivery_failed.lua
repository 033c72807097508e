-- A channel certainly did not deliver. It is tried again later, or never if it failed for good.
-- KEYS: record, due offers
-- ARGV: fence, channel, 1 if it failed for good
-- States: delivering → offered. Reminding doesn't change, and its mail may be sent again.
-- A crash before it: the same channel delivers again.
local fence, channel, for_good = unpack(ARGV)
if not is_current('offer', fence) then return 'stale' end
local state = get('offer_state')
if state == 'reminding' then
  drop('reminder_mailed_at')
  return state
end
if for_good == '1' and get('failed:' .. channel) then return state end
if state ~= 'delivering' and state ~= 'offered' then return 'wrong_state' end
put('offer_state', 'offered')
drop('channel', 'mailed_at')
if for_good == '1' then put('failed:' .. channel, text(now())) end
return 'offered'
