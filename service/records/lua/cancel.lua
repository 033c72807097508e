-- A conversation was reopened, or rated elsewhere, so a survey without an offer, or its reminder, is no longer valid.
-- KEYS: record of the first round, due offers, number of the last round, decision counts of the day
-- ARGV: conversation id, new state (cancelled or skipped), reason, time of the change (ms), retention (ms), how long after a
--       delivery the conversation may be reopened by our own message (ms)
-- States: waiting or deciding → cancelled or skipped; reminding → delivered, without the reminder.
-- A crash before it: the look-up in Dixa, right before the offer, finds the same.
local _, to, reason, happened_at, keep_ms, reopen_grace_ms = unpack(ARGV)
local _, _, round_key, counts = unpack(KEYS)
local round = read_round(round_key)
if round > 1 then use_record(KEYS[1] .. '-' .. text(round)) end
local state, close = get('offer_state'), get('close')
if not state then return 'missing' end
-- Events arrive in any order. A change from before the close says nothing about the close.
local closed_at = close and close ~= '' and cjson.decode(close).closed_at or 0
if tonumber(happened_at) <= math.max(closed_at, tonumber(get('latest_close') or 0)) then return 'older' end
if state == 'reminding' then
  -- Our own message may have reopened the conversation. The look-up before the reminder tells.
  local own_until = tonumber(get('delivered_at')) + tonumber(reopen_grace_ms)
  if to == 'cancelled' and tonumber(happened_at) <= own_until then return 'older' end
  increase('offer_fence')
  put('reminded_at', text(now()), 'delivery_note', 'no reminder: ' .. reason)
  finish('offer', 'delivered', '', get('keep_ms') or keep_ms)
  return 'not_reminded'
end
if state ~= 'waiting' and state ~= 'deciding' then return 'wrong_state' end
-- The rating may be ours, of an earlier round. The look-up before the offer knows the ids of those, and decides.
if to == 'skipped' and get('earlier') then return 'undecided' end
increase('offer_fence')
put('decided_at', text(now()))
count_decision(counts, reason)
finish('offer', to, reason, keep_ms)
return to
