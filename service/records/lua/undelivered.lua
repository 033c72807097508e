-- A channel certainly did not deliver: it is tried again later, or never if it failed for good.
-- KEYS: record, due offers
-- ARGV: fence, channel, 1 if it failed for good
-- States: delivering → offered; reminding stays as it is, and its mail may be sent again.
-- A crash before it: the channel is asked again.
if not is_mine('offer', ARGV[1]) then return 'stale' end
local state = get('offer_state')
if state == 'reminding' then
  drop('reminder_mailed_at')
  return state
end
if ARGV[3] == '1' and get('failed:' .. ARGV[2]) then return state end
if state ~= 'delivering' and state ~= 'offered' then return 'wrong_state' end
put('offer_state', 'offered')
drop('channel', 'mailed_at')
if ARGV[3] == '1' then put('failed:' .. ARGV[2], text(now())) end
return 'offered'
