-- Dixa made the offer: its response says so, or a look-up found it.
-- KEYS: record, due offers
-- ARGV: fence, rating type, rating id, then every rating type of the survey
-- States: offering or unknown → offered, or → offering while another rating type has no offer yet.
-- A crash before it: the look-up finds the offer and adopts it.
local fence, rating, rating_id = unpack(ARGV)
if not is_current('offer', fence) then return 'stale' end
local state = get('offer_state')
if get('rating_id:' .. rating) == rating_id and not get('offer_call') then return state end
if (state ~= 'offering' and state ~= 'unknown') or get('offer_call') ~= rating then return 'wrong_state' end
put('rating_id:' .. rating, rating_id, 'offered_at', text(now()))
forget_call('offer')
drop('offer_tries')
local to = 'offered'
for _, wanted in ipairs({unpack(ARGV, 4)}) do
  if not get('rating_id:' .. wanted) then to = 'offering' end
end
put('offer_state', to)
return to
