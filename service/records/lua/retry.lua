-- An operator retries a failed journey. It comes due now, with the address and the comment if they are still kept.
-- KEYS: record, due set
-- ARGV: journey
-- States: an offer: failed → unknown (a call was in flight), deciding, offering, offered or delivering. An answer: failed →
-- unknown or submitting. A follow-up: failed → following, with only the failed actions to do.
-- A crash leaves it failed or retried.
local journey = unpack(ARGV)
if get(journey .. '_state') ~= 'failed' then return exists() and 'not_failed' or 'missing' end
-- An erased record has no data of the customer left.
if get(journey .. '_reason') == 'erased' then return 'not_failed' end
-- A customer with an answer has the link already.
if journey == 'offer' and get('answer_state') then return 'not_failed' end

local function has_all_offers()
  for _, rating in ipairs((read_terms() or {}).ratings or {}) do
    if not get('rating_id:' .. rating) then return false end
  end
  return has_offer()
end

local function offer_state()
  if get('channel') then return 'delivering' end
  if has_all_offers() then return 'offered' end
  return has_offer() and 'offering' or 'deciding'
end

local to = 'submitting'
if get(journey .. '_call') then
  to = 'unknown'
elseif journey == 'offer' then
  to = offer_state()
elseif journey == 'follow_up' then
  to = 'following'
  restore_for_retry('comment')
  for field in pairs(read()) do
    local action = string.match(field, '^action:(.+)$')
    if action and get(field) == 'failed' then drop(field, 'problem:' .. action) end
  end
end
if journey == 'offer' then
  restore_for_retry('email')
  -- A channel that failed for good is tried again, since the operator may have repaired it.
  for field in pairs(read()) do
    if string.match(field, '^failed:') then drop(field) end
  end
end
put(journey .. '_state', to, journey .. '_retried_at', text(now()))
drop(journey .. '_reason', journey .. '_tries', journey .. '_ended_at')
persist()
schedule(journey, now())
return 'retried'
