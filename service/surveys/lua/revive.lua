-- An operator wants a dead journey tried again: it comes due now, with all it had.
-- KEYS: record, due set
-- ARGV: journey
-- States: dead → unknown (a call was in flight), deciding, offering or delivering; dead → unknown or submitting.
-- A crash leaves it dead or revived.
local journey = ARGV[1]
if get(journey .. '_state') ~= 'dead' then return redis.call('EXISTS', record) == 1 and 'not_dead' or 'missing' end
local to = 'submitting'
if get(journey .. '_call') then
  to = 'unknown'
elseif journey == 'offer' then
  local some = get('rating_id:Csat') or get('rating_id:Nps') or get('rating_id:ThumbsUpOrDown')
  to = get('channel') and 'delivering' or some and 'offering' or 'deciding'
end
put(journey .. '_state', to, journey .. '_revived_at', text(now()))
drop(journey .. '_reason', journey .. '_tries', journey .. '_ended_at')
redis.call('PERSIST', record)
wake(journey, now())
return 'revived'
