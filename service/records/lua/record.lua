-- Shared by all transitions. `scripts.py` puts RATING_TYPES, QUEUE, TRIM_AFTER_MS, IS_ARCHIVED, EVENTS and this file in front of
-- each script, and calls `save` after it.
-- KEYS[1] is the record of the survey (a hash). KEYS[2] is the due set of its journey (a sorted set, scored in ms).
-- Redis runs a script as a whole: no other command sees a half-written record, and a crash leaves all of it or nothing.
local record, due_set = KEYS[1], KEYS[2]

local TASK_GRACE_MS = 1000
local MAX_TASKS_AT_ONCE = 8
local COUNTS_RETENTION_MS = 400 * 24 * 60 * 60 * 1000
local YEAR_MS = 365 * 24 * 60 * 60 * 1000

-- Lua prints a time in milliseconds as 1.7e+12. Redis needs all digits.
local function text(number) return string.format('%.0f', number) end

-- All times are by Redis's clock, so hosts with different clocks agree on due times and leases.
local started_at
local function now()
  if not started_at then
    local seconds, micros = unpack(redis.call('TIME'))
    started_at = seconds * 1000 + math.floor(micros / 1000)
  end
  return started_at
end

-- The record is read once, at the first use of a field, and written once, after the script. So a right that Redis refuses to
-- this user in the middle of a script leaves no half-written record.
local fields, changed, dropped, expires_in, was_reminding, had_failed, was_decided

local function use_record(key) record, fields, changed, dropped, expires_in = key, nil, {}, {}, nil end

use_record(KEYS[1])

-- Whether it has failed for good, until an operator retries it. An erased one can't be retried.
local function has_failed()
  for _, journey in ipairs({'offer', 'answer', 'follow_up'}) do
    if fields[journey .. '_state'] == 'failed' and fields[journey .. '_reason'] ~= 'erased' then return true end
  end
  return false
end

local function read()
  if fields then return fields end
  fields = {}
  local flat = redis.call('HGETALL', record)
  for place = 1, #flat, 2 do fields[flat[place]] = flat[place + 1] end
  was_reminding, had_failed = fields.offer_state == 'reminding', has_failed()
  was_decided = fields.decided_at ~= nil
  return fields
end

local function exists() return next(read()) ~= nil end

local function get(field) return read()[field] end

local function put(...)
  local given = {...}
  for place = 1, #given, 2 do
    read()[given[place]], changed[given[place]], dropped[given[place]] = given[place + 1], given[place + 1], nil
  end
end

local function drop(...)
  for _, field in ipairs({...}) do
    if get(field) then fields[field], changed[field], dropped[field] = nil, nil, true end
  end
end

local function increase(field)
  local number = text(tonumber(get(field) or 0) + 1)
  put(field, number)
  return tonumber(number)
end

local function flatten(values)
  local flat = {}
  for field, value in pairs(values) do
    table.insert(flat, field)
    table.insert(flat, value)
  end
  return flat
end

local function expire(keep_ms) expires_in = keep_ms end
local function persist() expires_in = 'never' end

-- The set of due offers has the surveys that wait for their reminder, too. This set tells them apart, so that those without a
-- link can be counted.
local function note_reminding()
  local is_reminding = read().offer_state == 'reminding'
  if is_reminding == was_reminding then return end
  redis.call(is_reminding and 'SADD' or 'SREM', string.match(record, '^(.*)survey:') .. 'reminding', get('survey_id'))
end

-- The failed surveys, scored by when they failed. A record may expire before its entry does.
local function note_failed()
  if has_failed() == had_failed then return end
  local failed = string.match(record, '^(.*)survey:') .. 'failed'
  if had_failed then
    redis.call('ZREM', failed, get('survey_id'))
  else
    redis.call('ZADD', failed, text(now()), get('survey_id'))
    redis.call('ZREMRANGEBYSCORE', failed, '-inf', text(now() - YEAR_MS))
  end
end

-- What the archive's row of a survey is made of (service/archive/row.py), as far as it changes by itself: a score changes with
-- `answered_at`, and a journey's end with its time.
local ARCHIVED = {
  close = true, terms = true, decision = true, decided_at = true, language = true, delivered_at = true,
  delivery_note = true, reminded_at = true, answered_at = true, answer_language = true, comment = true, comment_sha1 = true,
  suspect = true, offer_reason = true, offer_ended_at = true, offer_retried_at = true, answer_reason = true,
  answer_ended_at = true, answer_retried_at = true, follow_up_reason = true, follow_up_ended_at = true,
  follow_up_retried_at = true,
}

local function has_archived(names)
  for field in pairs(names) do
    if ARCHIVED[field] then return true end
  end
  return false
end

-- The row is written by a worker, soon after the last change. Whoever writes it takes the id out of this set, unless the
-- record has changed since (due_archive.done.lua).
local function note_archive()
  if IS_ARCHIVED and (has_archived(changed) or has_archived(dropped)) then
    redis.call('ZADD', string.match(record, '^(.*)survey:') .. 'due:archive', text(now()), get('survey_id'))
  end
end

local function is_erased()
  return fields.offer_reason == 'erased' or fields.answer_reason == 'erased' or fields.follow_up_reason == 'erased'
end

-- What has happened in this transition, for the operator's receiver of events. A decision comes again after a crash, and is no
-- second `asked`. A note beside the reminder is the reason why none was sent.
local function happened()
  local offer, answer = changed.offer_state, changed.answer_state
  return {
    asked = changed.decided_at and not was_decided and get('offer_state') == 'deciding',
    skipped = offer == 'skipped' or offer == 'cancelled',
    delivered = changed.delivered_at,
    reminded = changed.reminded_at and (changed.delivery_note or 'unconfirmed') == 'unconfirmed',
    answered = answer == 'editable',
    submitted = answer == 'submitted',
    ['failed:offer'] = offer == 'failed',
    ['failed:answer'] = answer == 'failed',
    ['failed:follow_up'] = changed.follow_up_state == 'failed',
  }
end

-- The events stay in the record, each with its time, until they are sent (due_events.done.lua). EVENTS has those to send.
local function note_events()
  if not next(EVENTS) or not next(changed) or is_erased() then return end
  local unsent, is_new = cjson.decode(get('unsent_events') or '{}'), false
  for name, has_happened in pairs(happened()) do
    if has_happened and EVENTS[string.match(name, '^%a+')] then unsent[name], is_new = text(now()), true end
  end
  if not is_new then return end
  put('unsent_events', cjson.encode(unsent))
  redis.call('ZADD', string.match(record, '^(.*)survey:') .. 'due:event', text(now()), get('survey_id'))
end

local function save()
  local names = {}
  note_archive()
  note_events()
  if changed.offer_state then note_reminding() end
  if changed.offer_state or changed.answer_state or changed.follow_up_state then note_failed() end
  for field in pairs(dropped) do table.insert(names, field) end
  if next(changed) then redis.call('HSET', record, unpack(flatten(changed))) end
  if #names > 0 then redis.call('HDEL', record, unpack(names)) end
  if expires_in == 'never' then
    redis.call('PERSIST', record)
  elseif expires_in then
    redis.call('PEXPIRE', record, expires_in)
  end
end

-- Terms are stored once, under the hash of their text, and records name them.
local function name_of(terms_key) return string.match(terms_key, '[^:]+$') end

-- Terms outlive the records that name them: each new record renews them, and none is kept for longer than twice its retention
-- and a year.
local function keep_terms(terms_key, terms, keep_ms)
  local least_ms = 2 * tonumber(keep_ms) + YEAR_MS
  local left_ms = redis.call('PTTL', terms_key)
  if left_ms == -2 then
    redis.call('SET', terms_key, terms, 'PX', text(least_ms + YEAR_MS))
  elseif left_ms < least_ms then
    redis.call('PEXPIRE', terms_key, text(least_ms + YEAR_MS))
  end
end

-- Returns nothing if Redis has lost them. Records of an older version contain their terms.
local function read_terms()
  local terms = get('terms') or ''
  if terms == '' then return {} end
  if string.sub(terms, 1, 1) == '{' then return cjson.decode(terms) end
  local terms_key = string.gsub(record, 'survey:[^:]+$', 'terms:' .. terms)
  local found = redis.call('GET', terms_key)
  return found and cjson.decode(found)
end

local OPEN = {
  waiting = true, deciding = true, offering = true, unknown = true, offered = true, delivering = true,
  reminding = true, editable = true, submitting = true, following = true,
}
local OVER = {delivered = true, skipped = true, cancelled = true, failed = true, submitted = true, followed = true}

local function is_open(journey) return OPEN[get(journey .. '_state') or ''] or false end

-- The fence is a fencing token. Each claim raises it, and so do events that overtake a worker: from then on it can't write.
-- Until another claim a worker may still write, even if its lease has ended.
local function is_current(journey, fence) return get(journey .. '_fence') == fence end

local function read_round(key) return tonumber(redis.call('GET', key) or 1) end

-- The relay takes surveys with a call behind them before those without: they are closest to their end. A survey missing
-- from this set is still taken with the others, and a surplus one costs a claim.
local HAS_CALLED = {offering = true, unknown = true, offered = true, delivering = true, submitting = true}

local function prioritize(journey, at)
  if HAS_CALLED[get(journey .. '_state')] then redis.call('ZADD', due_set .. ':first', text(at), get('survey_id')) end
end

-- Make a journey due at a time, for the relay to find then, or at another time.
local function schedule(journey, at, found_at)
  put(journey .. '_due', text(at))
  redis.call('ZADD', due_set, text(found_at or at), get('survey_id'))
  prioritize(journey, found_at or at)
end

-- A task in Celery's format (`write_task` in tasks.py). A survey has at most one of a journey in a millisecond.
local function task_of(journey, survey_id)
  local id = survey_id .. '-' .. journey .. '-' .. text(now())
  return cjson.encode({
    body = cjson.encode({{survey_id}, {}, {}}),
    ['content-type'] = 'application/json',
    ['content-encoding'] = 'utf-8',
    headers = {lang = 'py', task = 'afterword.' .. journey, id = id, root_id = id},
    properties = {delivery_tag = id, delivery_info = {exchange = '', routing_key = QUEUE}},
  })
end

-- Queue a task. Behind a long queue it would only wait, so the relay queues it in its turn. A queue that can't be written
-- fails no webhook and no answer.
local function queue_task(queue, journey)
  local length = redis.pcall('LLEN', queue)
  if type(length) ~= 'number' or length >= MAX_TASKS_AT_ONCE then return false end
  return type(redis.pcall('LPUSH', queue, task_of(journey, get('survey_id')))) == 'number'
end

-- Make a journey due, and queue a task at once if it is due by now. The relay finds it a little later, in case that task is
-- lost.
local function schedule_and_queue(queue, journey, at, moment)
  local is_queued = at <= moment and queue_task(queue, journey)
  schedule(journey, at, is_queued and moment + TASK_GRACE_MS or at)
end

local function forget_call(journey)
  drop(journey .. '_call', journey .. '_sent_at', journey .. '_seen')
end

local function count(day, name)
  if redis.call('HINCRBY', day, name, 1) == 1 then redis.call('PEXPIRE', day, COUNTS_RETENTION_MS) end
end

-- Count each survey once, on the day of its last decision.
local function count_decision(day, decision)
  local counted_on, counted_as = string.match(get('counted') or '', '^(%S+) (%S+)$')
  if counted_on then redis.call('HINCRBY', counted_on, counted_as, -1) end
  count(day, decision)
  put('counted', day .. ' ' .. decision)
end

-- A customer who was not asked after all may be asked again: put back the contents of their cooldown slots, unless
-- another survey has taken them since.
local function release_cooldown_slots()
  for key, before in pairs(cjson.decode(get('cooldown_slots') or '{}')) do
    local holder = string.match(redis.call('GET', key) or '', '^%d+ (%S+)')
    if holder == get('survey_id') then
      if before == '' then redis.call('DEL', key) else redis.call('SET', key, before, 'KEEPTTL') end
    end
  end
end

local function has_offer()
  for _, rating in ipairs(RATING_TYPES) do
    if get('rating_id:' .. rating) then return true end
  end
  return false
end

-- Only a retry needs these values. They get keys of their own, since a field of a hash can't expire before Redis 7.4.
local function retry_key(field) return (string.gsub(record, 'survey:([^:]+)$', 'retry:%1:' .. field)) end

local function keep_for_retry(field, retry_ms)
  local value = get(field)
  if value and tonumber(retry_ms or 0) > 0 then redis.call('SET', retry_key(field), value, 'PX', retry_ms) end
  drop(field)
end

local function restore_for_retry(field)
  local value = redis.call('GET', retry_key(field))
  if value then put(field, value) end
  redis.call('DEL', retry_key(field))
end

-- A cooldown slot may name earlier surveys of its person. Drop this one, unless it is the slot's holder: that prevents a
-- survey too soon.
local function leave_cooldown_slots()
  local close = get('close') or ''
  for _, hash in ipairs(close ~= '' and cjson.decode(close).person or {}) do
    local key = string.match(record, '^(.*)survey:') .. 'asked:' .. hash
    local head, earlier = string.match(redis.call('GET', key) or '', '^(%d+ %S+)( .+)$')
    if head then
      local kept = string.gsub(earlier, ' (%S+)', function(id) if id == get('survey_id') then return '' end end)
      redis.call('SET', key, head .. kept, 'KEEPTTL')
    end
  end
end

local function forget_customer()
  -- An erased record keeps facts of its own, and the ones that prevent a second offer or result. Every field not listed
  -- here is about the customer, or may be.
  local KEPT = {
    v = true, survey_id = true, conversation_id = true, accepted_at = true, close = true, terms = true,
    latest_close = true, decided_at = true, counted = true, earlier = true, delivered_before = true,
    reconcile_first = true, channel = true, offered_at = true, mailed_at = true, delivered_at = true,
    reminded_at = true, answered_at = true,
  }
  local KEPT_OF_A_JOURNEY = {'_state', '_reason', '_fence', '_ended_at', '_lease', '_due'}
  local KEPT_OF_A_CLOSE = {
    'closed_at', 'channel', 'direction', 'queue_id', 'queue_name', 'contact_point', 'agent_id', 'assignee_type', 'event_id',
    'found_by',
  }
  redis.call('DEL', retry_key('email'), retry_key('comment'))
  leave_cooldown_slots()
  for _, journey in ipairs({'offer', 'answer', 'follow_up'}) do
    for _, ending in ipairs(KEPT_OF_A_JOURNEY) do KEPT[journey .. ending] = true end
  end
  for field in pairs(read()) do
    local prefix = string.match(field, '^(%a+_?%a+):')
    if not KEPT[field] and prefix ~= 'rating_id' and prefix ~= 'submitted' then drop(field) end
  end
  local close = get('close')
  if not close or close == '' then return end
  local found, kept = cjson.decode(close), {}
  for _, name in ipairs(KEPT_OF_A_CLOSE) do kept[name] = found[name] end
  put('close', cjson.encode(kept))
end

local function has_in_close(name) return string.find(get('close') or '', '"' .. name .. '":', 1, true) ~= nil end

local HAS_TO_TRIM = {
  comment = function() return get('comment') end,
  facts = function()
    return get('decision') or get('language') or get('answer_language') or has_in_close('tags') or has_in_close('user_type')
  end,
  agent = function() return has_in_close('agent_id') or string.find(get('decision') or '', '"agent_id":', 1, true) end,
}

local function has_to_trim(kind) return HAS_TO_TRIM[kind]() end

-- Some fields may have a shorter retention than the record. Surveys with such fields are in a set, by the time when the
-- first of them is due for deletion (trim.lua).
local function schedule_trim(keep_ms)
  local first
  for kind, after_ms in pairs(TRIM_AFTER_MS) do
    if after_ms < tonumber(keep_ms) and has_to_trim(kind) then first = math.min(first or after_ms, after_ms) end
  end
  if not first then return end
  redis.call('ZADD', string.match(record, '^(.*)survey:') .. 'due:trim', text(now() + first), get('survey_id'))
end

-- End a journey.
-- The address is only needed by the offer. The comment is only needed until Dixa has it and the follow-up is over. A
-- failed offer keeps the address for `retry_ms`, in case an operator retries it, but not after an opt-out. A failed follow-up
-- keeps the comment for as long. A failed answer keeps its comment in the record, until trim.lua deletes it.
-- A record without an open journey expires after `keep_ms`. Until then it prevents a second offer.
local function finish(journey, state, reason, keep_ms, retry_ms)
  put(journey .. '_state', state, journey .. '_ended_at', text(now()))
  drop(journey .. '_lease', journey .. '_due', journey .. '_reason')
  if reason ~= '' then put(journey .. '_reason', reason) end
  if journey == 'offer' then
    if state ~= 'delivered' then release_cooldown_slots() end
    keep_for_retry('email', state == 'failed' and reason ~= 'opted_out' and retry_ms)
    drop('cooldown_slots', 'candidates', 'keep_ms')
  end
  -- Only an answer that can still be changed needs them.
  if journey == 'answer' then drop('commented_at', 'first_answered_at') end
  redis.call('ZREM', due_set, get('survey_id'))
  redis.call('ZREM', due_set .. ':first', get('survey_id'))
  local is_followed_up = not is_open('follow_up')
  if is_followed_up and get('answer_state') == 'submitted' then
    keep_for_retry('comment', get('follow_up_state') == 'failed' and retry_ms)
  end
  if reason == 'erased' then forget_customer() end
  if is_followed_up and not is_open('offer') and not is_open('answer') then
    expire(keep_ms)
    schedule_trim(keep_ms)
  end
end
