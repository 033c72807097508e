-- What every transition shares; it is put before each script when that is loaded.
-- A script's KEYS[1] is the survey's record, KEYS[2] the due set of its journey.
-- Numbers are written with text(): Lua would print 1.7e+12 for a time in milliseconds.
local record, due_set = KEYS[1], KEYS[2]

local function text(number) return string.format('%.0f', number) end

local function now()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function get(field) return redis.call('HGET', record, field) end
local function put(...) redis.call('HSET', record, ...) end
local function drop(...) redis.call('HDEL', record, ...) end

local OPEN = {
  waiting = true, deciding = true, offering = true, unknown = true, offered = true, delivering = true,
  reminding = true, held = true, submitting = true, following = true,
}

local function is_open(journey) return OPEN[get(journey .. '_state') or ''] or false end

-- A claim is still ours if nobody has claimed since.
local function is_mine(journey, fence) return get(journey .. '_fence') == fence end

-- A call was made, or may have been: the relay takes these before those that only wait, since they are nearer to the end.
-- A member that is missing here goes with the others, one too many is claimed for nothing.
local NEAR_END = {offering = true, unknown = true, offered = true, delivering = true, submitting = true}

local function go_first(journey, at)
  if NEAR_END[get(journey .. '_state')] then redis.call('ZADD', due_set .. ':first', text(at), get('survey_id')) end
end

-- The journey wants work at this time; the relay looks at the due set.
local function wake(journey, at)
  put(journey .. '_due', text(at))
  redis.call('ZADD', due_set, text(at), get('survey_id'))
  go_first(journey, at)
end

-- A user who lacks a right is refused in the middle of a script, and what it wrote before stays. Where that would be taken
-- for all of it when it comes again, this is refused before: it changes nothing.
local function refuse_without_rights() redis.call('ZADD', due_set, 'XX', '0', '') end

local function forget_call(journey)
  drop(journey .. '_call', journey .. '_sent_at', journey .. '_seen')
end

-- The journey wants work by now, and whoever wrote it queues a task: the relay looks only if that is lost.
local function wake_by_hint(journey, at, moment)
  wake(journey, at)
  if at <= moment then redis.call('ZADD', due_set, text(moment + 1000), get('survey_id')) end
end

-- Every survey is counted once, on the day of its last decision.
local function count_decision(day, decision)
  local counted_on, counted_as = string.match(get('counted') or '', '^(%S+) (%S+)$')
  if counted_on then redis.call('HINCRBY', counted_on, counted_as, -1) end
  redis.call('HINCRBY', day, decision, 1)
  redis.call('EXPIRE', day, 34560000)
  put('counted', day .. ' ' .. decision)
end

-- Whoever took a turn and got nothing for it may be asked again.
local function give_turns_back()
  for key, before in pairs(cjson.decode(get('turns') or '{}')) do
    local whose = string.match(redis.call('GET', key) or '', '^%d+ (.+)$')
    if whose == get('survey_id') then
      if before == '' then redis.call('DEL', key) else redis.call('SET', key, before, 'KEEPTTL') end
    end
  end
end

-- All that a record keeps when it is erased: its own facts, and what prevents a second ask or result. Whatever isn't named
-- here is about the customer, or may be.
local KEPT = {
  v = true, survey_id = true, conversation_id = true, accepted_at = true, close = true, event_id = true, terms = true,
  latest_close = true, decided_at = true, counted = true, earlier = true, delivered_before = true, look_first = true,
  channel = true, offered_at = true, mailed_at = true, delivered_at = true, reminded_at = true, answered_at = true,
}
local KEPT_OF_A_JOURNEY = {'_state', '_reason', '_fence', '_ended_at', '_lease', '_due'}
local KEPT_OF_A_CLOSE = {
  'closed_at', 'channel', 'direction', 'queue_id', 'queue_name', 'contact_point', 'agent_id', 'assignee_type', 'event_id',
}

-- What a retry needs and nothing else does has a key of its own, which ends by itself: a field of a hash can't.
local function retry_key(field) return (string.gsub(record, 'survey:([^:]+)$', 'retry:%1:' .. field)) end

local function keep_for_retry(field, retry_ms)
  local value = get(field)
  if value and tonumber(retry_ms or 0) > 0 then redis.call('SET', retry_key(field), value, 'PX', retry_ms) end
  drop(field)
end

local function bring_back(field)
  local value = redis.call('GET', retry_key(field))
  if value then put(field, value) end
  redis.call('DEL', retry_key(field))
end

local function forget_customer()
  redis.call('DEL', retry_key('email'), retry_key('comment'))
  for _, journey in ipairs({'offer', 'answer', 'follow_up'}) do
    for _, ending in ipairs(KEPT_OF_A_JOURNEY) do KEPT[journey .. ending] = true end
  end
  for _, field in ipairs(redis.call('HKEYS', record)) do
    local begins = string.match(field, '^(%a+_?%a+):')
    if not KEPT[field] and begins ~= 'rating_id' and begins ~= 'submitted' then drop(field) end
  end
  local close = get('close')
  if not close or close == '' then return end
  local found, kept = cjson.decode(close), {}
  for _, name in ipairs(KEPT_OF_A_CLOSE) do kept[name] = found[name] end
  put('close', cjson.encode(kept))
end

-- The journey is over, and with the offer's the need for an address, with the last of the others' that for the comment:
-- it is in Dixa. If it is dead, a retry may need them within retry_ms. One that ends because its conversation was
-- anonymised keeps nothing about the customer. A record with no open journey lives on for keep_ms: it prevents a second
-- ask.
local function finish(journey, state, reason, keep_ms, retry_ms)
  put(journey .. '_state', state, journey .. '_reason', reason, journey .. '_ended_at', text(now()))
  drop(journey .. '_lease', journey .. '_due')
  if journey == 'offer' then
    if state ~= 'delivered' then give_turns_back() end
    keep_for_retry('email', state == 'dead' and reason ~= 'opted_out' and retry_ms)
    drop('turns', 'candidates')
  end
  redis.call('ZREM', due_set, get('survey_id'))
  redis.call('ZREM', due_set .. ':first', get('survey_id'))
  local is_followed = not is_open('follow_up')
  if is_followed and get('answer_state') == 'submitted' then
    keep_for_retry('comment', get('follow_up_state') == 'dead' and retry_ms)
  end
  if reason == 'erased' then forget_customer() end
  if is_followed and not is_open('offer') and not is_open('answer') then redis.call('PEXPIRE', record, keep_ms) end
end
