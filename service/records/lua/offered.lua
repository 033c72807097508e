-- Dixa made the offer (its answer said so, or a look found it).
-- KEYS: record, due offers
-- ARGV: fence, rating type, rating id, then every rating type the survey asks
-- States: offering or unknown → offered, or offering while another rating type is still to be offered.
-- A crash before it: the look finds the offer and it is adopted.
if not is_mine('offer', ARGV[1]) then return 'stale' end
local state = get('offer_state')
if get('rating_id:' .. ARGV[2]) == ARGV[3] and not get('offer_call') then return state end
if (state ~= 'offering' and state ~= 'unknown') or get('offer_call') ~= ARGV[2] then return 'wrong_state' end
put('rating_id:' .. ARGV[2], ARGV[3], 'offered_at', text(now()))
forget_call('offer')
drop('offer_tries')
local to = 'offered'
for i = 4, #ARGV do
  if not get('rating_id:' .. ARGV[i]) then to = 'offering' end
end
put('offer_state', to)
return to
