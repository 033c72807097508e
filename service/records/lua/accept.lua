-- A conversation was closed: make its record, once; or that of a new round, if the survey's terms say so.
-- KEYS: record of the first round, due offers, number of the last round, decisions of the day
-- ARGV: conversation id, close (JSON), terms (JSON or ''), candidates (JSON or ''), closed at (ms), delay (ms),
--       reason or '', keep (ms), e-mail address or '', decision (JSON), again (never, unanswered or always), event id
-- States: none → waiting, or none → skipped when a reason is given; waiting is about the later close from then on; any
-- other state stays as it is.
-- A crash leaves the record whole or absent; the same event again answers `duplicate`.
refuse_without_rights()
local moment, round = now(), tonumber(redis.call('GET', KEYS[3]) or 1)
local survey_id, earlier, delivered_before

local function turn_to(number)
  local suffix = number > 1 and '-' .. text(number) or ''
  round, record, survey_id = number, KEYS[1] .. suffix, ARGV[1] .. suffix
end

-- A later close than the one known, and no copy of it.
local function is_later()
  local close = get('close')
  if not close or close == '' or tonumber(ARGV[5]) <= cjson.decode(close).closed_at then return false end
  return ARGV[12] == '' or ARGV[12] ~= get('event_id')
end

-- After all that came of the close before it is over: a round if the terms say so, or if its own reason is on record then.
local function is_new_round()
  if is_open('offer') or is_open('answer') or not is_later() then return false end
  return ARGV[7] ~= '' or ARGV[11] == 'always' or ARGV[11] == 'unanswered' and not get('answer_state')
end

-- A later close that begins no round is a decision too. Changes from between the two closes may still come: they say
-- nothing about the later one.
local function note_later_close()
  local close = get('close')
  local latest = get('latest_close') or (close and close ~= '' and cjson.decode(close).closed_at) or ARGV[5]
  if tonumber(ARGV[5]) <= tonumber(latest) or (ARGV[12] ~= '' and ARGV[12] == get('event_id')) then return end
  put('latest_close', ARGV[5])
  if is_open('offer') then return end
  redis.call('HINCRBY', KEYS[4], 'closed_again', 1)
  redis.call('EXPIRE', KEYS[4], 34560000)
end

-- It was opened in between, and that event is late or lost: what waits is about the later close, whoever handled it.
local function begin_anew()
  redis.call('HINCRBY', KEYS[4], 'reopened', 1)
  redis.call('EXPIRE', KEYS[4], 34560000)
  redis.call('HINCRBY', record, 'offer_fence', 1)
  drop('candidates', 'email', 'latest_close', 'offer_tries')
end

turn_to(round)
local is_about_later = get('offer_state') == 'waiting' and is_later()
if is_about_later then
  begin_anew()
elseif redis.call('EXISTS', record) == 1 then
  if not is_new_round() then
    note_later_close()
    return {'duplicate', 0, survey_id}
  end
  earlier, delivered_before = cjson.decode(get('earlier') or '[]'), get('delivered_at') or get('delivered_before')
  for _, rating in ipairs({'Csat', 'Nps', 'ThumbsUpOrDown'}) do
    local rating_id = get('rating_id:' .. rating)
    if rating_id then table.insert(earlier, rating_id) end
  end
  -- Only the latest round is tried again.
  redis.call('DEL', retry_key('email'))
  turn_to(round + 1)
elseif round > 1 then
  turn_to(round + 1)
end
-- Restored from a backup, the number of the last round may be older than the rounds.
while not is_about_later and redis.call('EXISTS', record) == 1 do turn_to(round + 1) end
-- Rounds are few; a year is longer than any record of them lives after its last change.
if round > 1 then redis.call('SET', KEYS[3], text(round), 'PX', text(tonumber(ARGV[8]) + 31536000000)) end

put('v', '1', 'survey_id', survey_id, 'conversation_id', ARGV[1], 'close', ARGV[2], 'terms', ARGV[3],
  'accepted_at', text(moment), 'decision', ARGV[10], 'event_id', ARGV[12])
if earlier and #earlier > 0 then put('earlier', cjson.encode(earlier)) end
if delivered_before then put('delivered_before', delivered_before) end
if ARGV[7] ~= '' then
  count_decision(KEYS[4], ARGV[7])
  finish('offer', 'skipped', ARGV[7], ARGV[8])
  return {'skipped', 0, survey_id}
end
-- A close can't lie in the future: Dixa's clock may be ahead of ours, the wait is counted from now then.
local due = math.min(tonumber(ARGV[5]), moment) + tonumber(ARGV[6])
put('offer_state', 'waiting')
if ARGV[4] ~= '' then put('candidates', ARGV[4]) end
if ARGV[9] ~= '' then put('email', ARGV[9]) end
wake_by_hint('offer', due, moment)
return {'accepted', due <= moment and 1 or 0, survey_id}
