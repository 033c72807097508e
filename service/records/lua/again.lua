-- The marked call did not happen: forget it and try again later.
-- KEYS: record, due set
-- ARGV: journey, fence, delay (ms), 1 if it was sent and may be executed yet, 1 if a try failed
-- States: offering or unknown → deciding (nothing offered yet) or offering; submitting or unknown → submitting.
-- A crash before it: the call stays marked and is looked for.
local journey = ARGV[1]
if not is_mine(journey, ARGV[2]) then return 'stale' end
if not is_open(journey) or not get(journey .. '_call') then return 'wrong_state' end
local to = 'submitting'
if journey == 'offer' then
  local some = get('rating_id:Csat') or get('rating_id:Nps') or get('rating_id:ThumbsUpOrDown')
  to = some and 'offering' or 'deciding'
end
-- Should the call be executed after all, its offer is known by not having been there before that try.
if journey == 'offer' and ARGV[4] == '1' then redis.call('HSETNX', record, 'offer_before', get('offer_seen')) end
put(journey .. '_state', to)
forget_call(journey)
drop(journey .. '_lease')
wake(journey, now() + tonumber(ARGV[3]))
if ARGV[5] == '1' then redis.call('HINCRBY', record, journey .. '_tries', 1) end
return to
