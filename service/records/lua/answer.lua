-- A customer answered: hold the answer until it may be submitted, or replace the one that is held.
-- KEYS: record, due answers, due offers, due follow-ups
-- ARGV: survey id, conversation id, terms (JSON), hold (ms), comment, language, answered at (ms, or '' for now),
--       rating ids of the link by type (JSON object), scores by type (JSON object), 1 if a machine may have sent it,
--       how long changes may put it off after the first answer (ms),
--       1 to remove the comment that was given before
-- States: none or held → held; submitting, unknown, submitted and dead stay as they are.
-- A changed answer is held anew, no longer than that after the first one, and never shorter than was promised before.
-- A suspect answer takes the place of no other (`ignored`), and any other takes its place, whichever was given earlier, as
-- if there had been none: its comment is no customer's. It ends no reminder: the customer hasn't answered yet.
-- The link alone is enough: a record that Redis has lost is made again from it, as delivered. Its answer may be with
-- Dixa already, so it is looked for first.
-- A comment has a moment of its own: one that waited in a spool, or its removal, counts though the scores were changed since.
-- Whatever its terms say is to follow begins at once: an alert doesn't wait for the hold. What follows a suspect answer
-- waits until that is final.
-- A crash leaves the answer whole or absent; the same form posted again answers `same`: it was given again, so it is
-- younger than what a spool still has from between. No answer is from the future, whatever a web host's clock says, and
-- what comes now is later than what came before, whatever Redis' own clock did in between.
-- No link leaves before its offer: a record that was cancelled before it is older than that, so it comes from a backup.
local survey_id, conversation_id, link_terms, hold_ms, comment, language, given_at = unpack(ARGV)
refuse_without_rights()
local moment = now()
local scores, is_suspect = cjson.decode(ARGV[9]), ARGV[10] == '1'
local state = get('answer_state')
local was_suspect, forgets = state == 'held' and get('suspect'), ARGV[12] == '1'

local function is_same()
  for _, rating in ipairs({'Csat', 'Nps', 'ThumbsUpOrDown'}) do
    local score = scores[rating]
    if (get('score:' .. rating) or '') ~= (score and text(score) or '') then return false end
  end
  if comment == '' then return not (forgets and get('comment_sha1')) end
  return redis.sha1hex(comment) == get('comment_sha1')
end

local is_over = get('offer_state') == 'cancelled' or get('offer_state') == 'dead'
if is_over and get('offer_reason') == 'erased' then return {'closed', 0} end
if is_suspect and state == 'held' and not was_suspect then
  -- A customer's browser may have filled in the hidden field: what is unwanted goes, whoever asks for it.
  if forgets then drop('comment', 'comment_sha1') end
  return {is_same() and 'same' or 'ignored', 0}
end
local is_first = not state or (was_suspect and not is_suspect)
local last = tonumber(get('answered_at') or 0)
local answered_at = given_at == '' and math.max(moment, last + 1) or math.min(tonumber(given_at), moment)
local is_later = is_first or answered_at >= last

local function date_comment()
  put('commented_at', text(math.max(answered_at, tonumber(get('commented_at') or 0))))
end

-- Keep the comment, or remove the one that is kept, unless a later one was written or removed meanwhile.
local function write_comment()
  if answered_at < tonumber(get('commented_at') or 0) then return end
  date_comment()
  if forgets then drop('comment', 'comment_sha1') end
  if comment ~= '' then put('comment', comment, 'comment_sha1', redis.sha1hex(comment)) end
end

if not is_first and is_same() then
  if state == 'held' and is_later then put('answered_at', text(answered_at)) end
  if state == 'held' and (comment ~= '' or forgets) then date_comment() end
  return {'same', 0}
end
if state and state ~= 'held' then return {'not_changed', 0} end
if not is_later then
  -- Scores and comment are dated apart: a later change of the scores says nothing about the comment.
  if comment ~= '' or forgets then write_comment() end
  return {'superseded', 0}
end

if redis.call('EXISTS', record) == 0 then
  put('v', '1', 'survey_id', survey_id, 'conversation_id', conversation_id, 'close', '', 'terms', link_terms,
    'accepted_at', text(moment), 'offer_state', 'delivered', 'look_first', '1')
end
-- Nothing revives the offer of who has answered.
redis.call('DEL', retry_key('email'))
for rating, rating_id in pairs(cjson.decode(ARGV[8])) do
  -- A link never leaves before its offer is written: a record that doesn't know it was lost, and begun anew by a close.
  if redis.call('HSETNX', record, 'rating_id:' .. rating, rating_id) == 1 then put('look_first', '1') end
end
local terms = cjson.decode(get('terms') ~= '' and get('terms') or '{}')
if is_open('offer') and not (is_suspect and get('offer_state') == 'reminding') then
  -- The customer has the link, so it was offered and delivered, whatever a worker is about to write.
  redis.call('HINCRBY', record, 'offer_fence', 1)
  redis.call('HSETNX', record, 'delivered_at', text(moment))
  drop('offer_lease', 'offer_due', 'offer_tries', 'turns', 'candidates')
  forget_call('offer')
  local reminder_ms = is_suspect and type(terms.reminder) == 'string' and string.match(terms.reminder, '^(%d+)ms$')
  if reminder_ms then
    local remind_at = text(moment + tonumber(reminder_ms))
    put('offer_state', 'reminding', 'offer_due', remind_at)
    redis.call('ZADD', KEYS[3], remind_at, survey_id)
  else
    put('offer_state', 'delivered', 'offer_ended_at', text(moment))
    drop('email')
    redis.call('ZREM', KEYS[3], survey_id)
  end
end

drop('score:Csat', 'score:Nps', 'score:ThumbsUpOrDown')
for rating, score in pairs(scores) do put('score:' .. rating, text(score)) end
-- A blank comment keeps the one that was given before, unless the customer removes it: the page never shows it again.
if is_first then drop('comment', 'comment_sha1', 'commented_at') end
if comment ~= '' or forgets then write_comment() end
if is_suspect then put('suspect', '1') else drop('suspect') end
put('answer_state', 'held', 'answer_language', language, 'answered_at', text(answered_at))
redis.call('PERSIST', record)
local due = moment + tonumber(hold_ms)
if is_first then
  put('held_since', text(moment))
else
  local first = tonumber(get('held_since') or last)
  due = math.max(tonumber(get('answer_due') or 0), math.min(due, first + tonumber(ARGV[11])))
end
wake_by_hint('answer', due, moment)
if terms.on_answer and #terms.on_answer > 0 then
  local follow_at = text(is_suspect and due or moment)
  put('follow_up_state', 'following', 'follow_up_due', follow_at)
  redis.call('ZADD', KEYS[4], follow_at, survey_id)
end
return {'saved', due <= moment and 1 or 0}
