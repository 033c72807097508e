-- Write the decision about a survey, with its reason and facts. The verdict `ask` also takes the customer's cooldown slots
-- and one place of the survey's daily cap, in the same step: two closes at once send one survey.
-- KEYS: record, due offers, decision counts of the day, surveys sent on the day, the terms under their hash, then a cooldown
--       slot for each id, address and number of the customer
-- ARGV: fence, verdict (ask, waiting, skipped or cancelled), reason or '', language or '', retention (ms), decision (JSON),
--       terms (JSON, or '' to keep them), due at (ms, for waiting), cooldown (ms), retention of a slot (ms), daily cap (0:
--       none), retention of the day's surveys sent (ms), how many earlier surveys a slot names
-- States: deciding → deciding (ask), waiting, skipped or cancelled.
-- A crash after `ask`: the journey comes due again and decides again. The slots it finds are its own.
local fence, verdict, reason, language, keep_ms, decision = unpack(ARGV)
local terms, due_at, cooldown_ms, keep_slot_ms, daily_cap, keep_sent_ms, max_earlier = unpack(ARGV, 7)
local cap = tonumber(daily_cap)
local _, _, counts, sent_today, terms_key = unpack(KEYS)
local slots = {unpack(KEYS, 6)}
if not is_current('offer', fence) then return {'stale', ''} end
local moment, state, survey_id = now(), get('offer_state'), get('survey_id')
if state == verdict and verdict ~= 'waiting' then return {verdict, get('offer_reason')} end
if state ~= 'deciding' then return {'wrong_state', ''} end
put('decision', decision, 'language', language)
if terms ~= '' then
  if get('terms') ~= name_of(terms_key) then
    keep_terms(terms_key, terms, keep_ms)
    put('terms', name_of(terms_key))
  end
  drop('candidates')
end
if verdict == 'waiting' then
  put('offer_state', 'waiting')
  drop('offer_lease')
  schedule('offer', tonumber(due_at))
  return {'waiting', ''}
end

local before = #slots > 0 and redis.call('MGET', unpack(slots)) or {}

local function find_obstacle()
  for place in ipairs(slots) do
    local taken_at, holder = string.match(before[place] or '', '^(%d+) (%S+)')
    if taken_at and holder ~= survey_id and tonumber(taken_at) + tonumber(cooldown_ms) > moment then
      put('cooldown_survey', holder)
      return 'asked_recently'
    end
  end
  if cap > 0 and tonumber(redis.call('GET', sent_today) or 0) >= cap then return 'daily_cap' end
end

-- The survey, and those before it: "<time, ms> <survey id> <earlier ids>".
local function slot_after(content)
  local ids = {survey_id}
  for id in string.gmatch(string.match(content, '^%d+ (.+)$') or '', '%S+') do
    if id ~= survey_id and #ids <= tonumber(max_earlier) then table.insert(ids, id) end
  end
  return text(moment) .. ' ' .. table.concat(ids, ' ')
end

local function take_slots()
  local contents = {}
  for place, slot in ipairs(slots) do
    contents[slot] = before[place] or ''
    redis.call('SET', slot, slot_after(before[place] or ''), 'PX', keep_slot_ms)
  end
  put('cooldown_slots', cjson.encode(contents))
  if cap > 0 and redis.call('INCR', sent_today) == 1 then redis.call('PEXPIRE', sent_today, keep_sent_ms) end
end

if verdict == 'ask' and not get('cooldown_slots') then
  local obstacle = find_obstacle()
  if obstacle then
    verdict, reason = 'skipped', obstacle
  else
    take_slots()
  end
end
put('decided_at', text(moment))
count_decision(counts, verdict == 'ask' and 'asked' or reason)
if verdict ~= 'ask' then finish('offer', verdict, reason, keep_ms) end
return {verdict, reason}
