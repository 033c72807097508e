-- A conversation was closed. Create its record once, or the record of a new round if the survey's terms allow one.
-- KEYS: record of the first round, due offers, number of the last round, decision counts of the day, queue of tasks, then for
--       each candidate its terms under their hash
-- ARGV: conversation id, close (JSON), closed at (ms), delay (ms), reason or '', retention (ms), e-mail address or '',
--       rule mismatches (JSON) or '', on reclose (never, unanswered or always), event id, 1 to leave the queueing to the
--       relay, how it was found without its webhook (delivery_log, search or operator) or '', then the terms of each
--       candidate (JSON)
-- States: none → waiting, or → skipped if there is a reason. A waiting survey is about the later close from then on. Other
-- states don't change. An operator begins a waiting survey again, or a round after one that was skipped or cancelled.
-- A crash leaves the whole record or none. The same event again returns `duplicate`.
local conversation_id, close_json, closed_at, delay_ms, reason = unpack(ARGV)
local keep_ms, email, mismatches, on_reclose, event_id, is_spooled, found_by = unpack(ARGV, 6)
local _, _, round_key, counts, queue = unpack(KEYS)
local moment, round = now(), read_round(round_key)
local survey_id, earlier, delivered_before

-- A close that was looked up has no event id, and its time may differ a little from its event's.
local SAME_CLOSE_MS = 2 * 60 * 1000

local function use_round(number)
  local suffix = number > 1 and '-' .. text(number) or ''
  round, survey_id = number, conversation_id .. suffix
  use_record(KEYS[1] .. suffix)
end

local function known_close()
  local close = get('close') or ''
  return close ~= '' and cjson.decode(close) or {}
end

local function is_same_event()
  local known = known_close()
  if event_id ~= '' and known.event_id then return event_id == known.event_id end
  local is_looked_up = found_by ~= '' or known.found_by
  return is_looked_up and known.closed_at and math.abs(tonumber(closed_at) - known.closed_at) <= SAME_CLOSE_MS
end

local function is_later()
  local known = known_close().closed_at
  return known and tonumber(closed_at) > known and not is_same_event()
end

-- Whether an operator may ask about a close that was decided already: only if the customer was not asked.
local function is_by_operator()
  local state = get('offer_state')
  if found_by ~= 'operator' or get('offer_reason') == 'erased' or get('answer_state') or has_offer() then return false end
  return state == 'waiting' or state == 'skipped' or state == 'cancelled'
end

-- A new round begins only after the offer and the answer of the earlier survey are over. A later close that no survey
-- matches begins one too, so that its reason is recorded.
local function is_new_round()
  if is_open('offer') or is_open('answer') then return false end
  if is_by_operator() then return true end
  if not is_later() then return false end
  return reason ~= '' or on_reclose == 'always' or on_reclose == 'unanswered' and not get('answer_state')
end

-- Count a later close without a round, too. Changes from before it may still arrive, and `cancel` compares them with it.
local function note_later_close()
  local latest = get('latest_close') or known_close().closed_at or closed_at
  if tonumber(closed_at) <= tonumber(latest) or is_same_event() then return end
  put('latest_close', closed_at)
  if is_open('offer') then return end
  count(counts, 'closed_again')
end

-- The conversation was reopened in between, and that event is late or lost. The survey now is about the later close and
-- its agent. The new fence refuses a late write of an earlier claim. A close during a decision is only noted.
local function restart()
  if is_later() then count(counts, 'reopened') end
  increase('offer_fence')
  drop('candidates', 'decision', 'email', 'latest_close', 'offer_tries')
end

use_round(round)
local restarts = get('offer_state') == 'waiting' and (is_later() or is_by_operator())
if restarts then
  restart()
elseif exists() then
  if not is_new_round() then
    note_later_close()
    return {'duplicate', survey_id}
  end
  earlier, delivered_before = cjson.decode(get('earlier') or '[]'), get('delivered_at') or get('delivered_before')
  for _, rating in ipairs(RATING_TYPES) do
    local rating_id = get('rating_id:' .. rating)
    if rating_id then table.insert(earlier, rating_id) end
  end
  -- Only the latest round can be retried.
  redis.call('DEL', retry_key('email'))
  use_round(round + 1)
elseif round > 1 then
  use_round(round + 1)
end
-- After a restore from a backup, the number of the last round may be older than the records of the rounds.
while not restarts and exists() do use_round(round + 1) end
-- The number must outlive the records. An open record has no expiry, so the margin is large: there are few rounds.
if round > 1 then redis.call('SET', round_key, text(round), 'PX', text(tonumber(keep_ms) + YEAR_MS)) end

local candidates = {}
for place, terms_key in ipairs({unpack(KEYS, 6)}) do
  keep_terms(terms_key, ARGV[12 + place], keep_ms)
  table.insert(candidates, name_of(terms_key))
end
put('v', '1', 'survey_id', survey_id, 'conversation_id', conversation_id, 'close', close_json, 'terms', candidates[1] or '',
  'accepted_at', text(moment))
if earlier and #earlier > 0 then put('earlier', cjson.encode(earlier)) end
if delivered_before then put('delivered_before', delivered_before) end
if mismatches ~= '' then put('decision', mismatches) end
if reason ~= '' then
  count_decision(counts, reason)
  finish('offer', 'skipped', reason, keep_ms)
  return {'skipped', survey_id}
end
-- A close can't be in the future. If Dixa's clock is ahead of Redis's, the delay starts now.
local due = math.min(tonumber(closed_at), moment) + tonumber(delay_ms)
put('offer_state', 'waiting')
if #candidates > 1 then put('candidates', cjson.encode(candidates)) end
if email ~= '' then put('email', email) end
if is_spooled == '1' then schedule('offer', due) else schedule_and_queue(queue, 'offer', due, moment) end
return {'accepted', survey_id}
