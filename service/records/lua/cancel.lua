-- A conversation was reopened, or rated elsewhere: what waits is no longer right.
-- KEYS: record of the first round, due offers, number of the last round, decisions of the day
-- ARGV: conversation id, verdict (cancelled or skipped), reason, when it happened (ms), keep (ms)
-- States: waiting or deciding → cancelled or skipped; reminding → delivered, without the reminder. What is rated while a
-- later round waits may be ours, of an earlier one: the look at Dixa, which knows those, decides.
-- A crash before it: the look at Dixa, right before the offer, finds the same.
local round = tonumber(redis.call('GET', KEYS[3]) or 1)
if round > 1 then record = KEYS[1] .. '-' .. text(round) end
local state, close = get('offer_state'), get('close')
if not state then return 'missing' end
-- Events come in any order: one from before the close says nothing about it.
local closed_at = close and close ~= '' and cjson.decode(close).closed_at or 0
if tonumber(ARGV[4]) <= math.max(closed_at, tonumber(get('latest_close') or 0)) then return 'older' end
if state == 'reminding' then
  -- Our own message may open the conversation: that is looked at when the reminder is due.
  if ARGV[2] == 'cancelled' and tonumber(ARGV[4]) <= tonumber(get('delivered_at')) + 120000 then return 'older' end
  redis.call('HINCRBY', record, 'offer_fence', 1)
  put('reminded_at', text(now()), 'delivery_note', 'no reminder: ' .. ARGV[3])
  -- The link must not outlive the record.
  local expires = string.match(cjson.decode(get('terms') or '{}').expires or '', '^(%d+)ms$')
  finish('offer', 'delivered', '', text(math.max(tonumber(ARGV[5]), tonumber(expires or 0) + 86400000)))
  return 'not_reminded'
end
if state ~= 'waiting' and state ~= 'deciding' then return 'wrong_state' end
if ARGV[2] == 'skipped' and get('earlier') then return 'undecided' end
redis.call('HINCRBY', record, 'offer_fence', 1)
put('decided_at', text(now()))
count_decision(KEYS[4], ARGV[3])
finish('offer', ARGV[2], ARGV[3], ARGV[5])
return ARGV[2]
