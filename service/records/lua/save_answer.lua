-- A customer answered: save the answer until it may be submitted, or replace the one that is still editable.
-- KEYS: record, due answers, due offers, due follow-ups, queue of tasks, the terms under their hash
-- ARGV: survey id, conversation id, terms (JSON) for a record that lost them, editable for (ms), comment, language, answered
--       at (ms, or '' for now), rating ids of the link by type (JSON object), scores by type (JSON object), 1 if a machine may
--       have sent it, maximum extension after the first answer (ms), 1 to remove the earlier comment, retention (ms)
-- States: none or editable → editable. Submitting, unknown, submitted and failed don't change.
-- A crash leaves the whole answer or none. The same form again returns `same`.
--
-- A changed answer is editable again for the full time, up to the maximum, and never for less than was promised before.
-- A suspect answer replaces no other (`ignored`). Any other answer replaces it, even one given earlier, and counts as the
-- first: the suspect comment is dropped. A suspect answer stops no reminder until it is final.
-- The link alone is enough. A record that Redis has lost is created again from it, as delivered. Dixa may already have its
-- answer, so that is looked up first.
-- Follow-ups start at once, since an alert must not wait. Those of a suspect answer wait until it is final.
local survey_id, conversation_id, link_terms, editable_ms, comment, language, given_at = unpack(ARGV)
local rating_ids, scores, suspect, max_extension_ms, removes, keep_ms = unpack(ARGV, 8)
local _, _, due_offers, due_follow_ups, queue, terms_key = unpack(KEYS)
local moment = now()
scores = cjson.decode(scores)
local is_suspect, removes_comment = suspect == '1', removes == '1'
local state = get('answer_state')
local was_suspect = state == 'editable' and get('suspect')

local function has_same_comment()
  if comment == '' then return not (removes_comment and get('comment_sha1')) end
  return redis.sha1hex(comment) == get('comment_sha1')
end

local function is_same()
  for _, rating in ipairs(RATING_TYPES) do
    local score = scores[rating]
    if (get('score:' .. rating) or '') ~= (score and text(score) or '') then return false end
  end
  return has_same_comment()
end

-- An offer that is cancelled for another reason than erasure has no link. Its record is older than this link: a backup.
local is_over = get('offer_state') == 'cancelled' or get('offer_state') == 'failed'
if is_over and get('offer_reason') == 'erased' then return 'closed' end
if is_suspect and state == 'editable' and not was_suspect then
  -- A browser may fill in the hidden field for a customer, so a wish to remove the comment counts in any case.
  if removes_comment then drop('comment', 'comment_sha1') end
  return is_same() and 'same' or 'ignored'
end
local is_first = not state or (was_suspect and not is_suspect)
local last = tonumber(get('answered_at') or 0)
-- An answer given now is later than every one before it, even after Redis's clock was set back. An answer from a spool was
-- dated by the clock of a web host, so it can't be later than now.
local answered_at = given_at == '' and math.max(moment, last + 1) or math.min(tonumber(given_at), moment)
local is_later = is_first or answered_at >= last

local function date_comment()
  put('commented_at', text(math.max(answered_at, tonumber(get('commented_at') or 0))))
end

-- Scores and comment have separate times. A comment or removal from a spool counts unless a later one came meanwhile, even
-- if the scores were changed since.
local function write_comment()
  if comment == '' and not removes_comment then return end
  if answered_at < tonumber(get('commented_at') or 0) then return end
  date_comment()
  if removes_comment then drop('comment', 'comment_sha1') end
  if comment ~= '' then put('comment', comment, 'comment_sha1', redis.sha1hex(comment)) end
end

if not is_first and is_same() then
  -- The customer gave it again, so it is later than any answer from between in a spool.
  if state == 'editable' and is_later then put('answered_at', text(answered_at)) end
  if state == 'editable' and (comment ~= '' or removes_comment) then date_comment() end
  return 'same'
end
if state and state ~= 'editable' then return 'not_changed' end
if not is_later then
  write_comment()
  return 'superseded'
end

if not exists() then
  keep_terms(terms_key, link_terms, keep_ms)
  put('v', '1', 'survey_id', survey_id, 'conversation_id', conversation_id, 'close', '', 'terms', name_of(terms_key),
    'accepted_at', text(moment), 'offer_state', 'delivered', 'reconcile_first', '1')
end
-- The offer of a customer with an answer is never retried.
if get('offer_state') == 'failed' then redis.call('DEL', retry_key('email')) end
for rating, rating_id in pairs(cjson.decode(rating_ids)) do
  -- A link is sent after its offer is written. If the record doesn't know the offer, it was lost and created anew.
  if not get('rating_id:' .. rating) then put('rating_id:' .. rating, rating_id, 'reconcile_first', '1') end
end
local terms = read_terms()
if not terms then
  -- The link's are those of its page.
  keep_terms(terms_key, link_terms, keep_ms)
  put('terms', name_of(terms_key))
  terms = cjson.decode(link_terms)
end
if is_open('offer') and not (is_suspect and get('offer_state') == 'reminding') then
  -- The customer has the link, so it was offered and delivered. The new fence stops a worker about to write otherwise.
  increase('offer_fence')
  if not get('delivered_at') then put('delivered_at', text(moment)) end
  drop('offer_lease', 'offer_due', 'offer_tries', 'cooldown_slots', 'candidates')
  forget_call('offer')
  local reminder_ms = is_suspect and terms.reminder
  if reminder_ms then
    local remind_at = text(moment + reminder_ms)
    put('offer_state', 'reminding', 'offer_due', remind_at, 'keep_ms', keep_ms)
    redis.call('ZADD', due_offers, remind_at, survey_id)
  else
    put('offer_state', 'delivered', 'offer_ended_at', text(moment))
    drop('email', 'keep_ms')
    redis.call('ZREM', due_offers, survey_id)
  end
end

for _, rating in ipairs(RATING_TYPES) do drop('score:' .. rating) end
for rating, score in pairs(scores) do put('score:' .. rating, text(score)) end
-- The page never shows an earlier comment again, so a blank one keeps it unless the customer removes it.
if is_first then drop('comment', 'comment_sha1', 'commented_at') end
write_comment()
if is_suspect then put('suspect', '1') else drop('suspect') end
put('answer_state', 'editable', 'answer_language', language, 'answered_at', text(answered_at))
persist()
local due = moment + tonumber(editable_ms)
if is_first then
  put('first_answered_at', text(moment))
else
  local first = tonumber(get('first_answered_at'))
  due = math.max(tonumber(get('answer_due') or 0), math.min(due, first + tonumber(max_extension_ms)))
end
-- After a long outage the answers of a spool would flood the queue. The relay takes them in turn.
if given_at == '' then schedule_and_queue(queue, 'answer', due, moment) else schedule('answer', due) end
if terms.on_answer and #terms.on_answer > 0 then
  local follow_up_at = text(is_suspect and due or moment)
  put('follow_up_state', 'following', 'follow_up_due', follow_up_at)
  redis.call('ZADD', due_follow_ups, follow_up_at, survey_id)
end
return 'saved'
