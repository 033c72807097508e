-- A channel begins to bring the link to the customer.
-- KEYS: record, due offers
-- ARGV: fence, channel
-- States: offered or delivering → delivering.
-- A crash right after it: the channel is asked again, and its own key keeps it from delivering twice.
if not is_mine('offer', ARGV[1]) then return 'stale' end
local state = get('offer_state')
if state ~= 'offered' and state ~= 'delivering' then return 'wrong_state' end
put('offer_state', 'delivering', 'channel', ARGV[2])
return 'delivering'
