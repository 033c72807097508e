-- A channel starts to deliver the link.
-- KEYS: record, due offers
-- ARGV: fence, channel
-- States: offered or delivering → delivering.
-- A crash right after it: the same channel delivers again, and its own key prevents a second delivery.
local fence, channel = unpack(ARGV)
if not is_current('offer', fence) then return 'stale' end
local state = get('offer_state')
if state ~= 'offered' and state ~= 'delivering' then return 'wrong_state' end
put('offer_state', 'delivering', 'channel', channel)
return 'delivering'
