-- An operator wants a dead journey tried again: it comes due now, with all it had, the address and the comment too if
-- their time isn't over.
-- KEYS: record, due set
-- ARGV: journey
-- States: dead → unknown (a call was in flight), deciding, offering, offered or delivering; dead → unknown or submitting;
-- dead → following, with only what had failed to be done.
-- A crash leaves it dead or revived.
local journey = ARGV[1]
if get(journey .. '_state') ~= 'dead' then return redis.call('EXISTS', record) == 1 and 'not_dead' or 'missing' end
-- What was about the customer is gone.
if get(journey .. '_reason') == 'erased' then return 'not_dead' end
-- Who has answered had the link.
if journey == 'offer' and get('answer_state') then return 'not_dead' end
local to = 'submitting'
if get(journey .. '_call') then
  to = 'unknown'
elseif journey == 'offer' then
  local some = get('rating_id:Csat') or get('rating_id:Nps') or get('rating_id:ThumbsUpOrDown')
  local all, terms = some, get('terms') or ''
  for _, rating in ipairs(terms ~= '' and cjson.decode(terms).rating or {}) do
    if not get('rating_id:' .. rating) then all = false end
  end
  to = get('channel') and 'delivering' or all and 'offered' or some and 'offering' or 'deciding'
elseif journey == 'follow_up' then
  to = 'following'
  bring_back('comment')
  for _, field in ipairs(redis.call('HKEYS', record)) do
    if field:sub(1, 7) == 'action:' and get(field) == 'failed' then drop(field, 'problem:' .. field:sub(8)) end
  end
end
if journey == 'offer' then
  bring_back('email')
  -- What a channel refused is mended by now, or it refuses again.
  for _, field in ipairs(redis.call('HKEYS', record)) do
    if field:sub(1, 7) == 'failed:' then drop(field) end
  end
end
put(journey .. '_state', to, journey .. '_revived_at', text(now()))
drop(journey .. '_reason', journey .. '_tries', journey .. '_ended_at')
redis.call('PERSIST', record)
wake(journey, now())
return 'revived'
