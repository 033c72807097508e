-- One action of a follow-up begins, is done, has failed for good, or waits: it certainly did not happen yet.
-- KEYS: record, due follow-ups
-- ARGV: fence, action, new state, problem or '', scores sent with it (JSON) or ''
-- States: following doesn't change. Returns `begun_before` if the action has begun, and not ended.
-- A crash right after `begun`: the action may have happened, and its own rule says whether it is repeated.
local fence, action, state, problem, scores = unpack(ARGV)
if not is_current('follow_up', fence) then return 'stale' end
if get('follow_up_state') ~= 'following' then return 'wrong_state' end
local field = 'action:' .. action
if state == 'begun' and get(field) == 'begun' then return 'begun_before' end
put(field, state)
if problem ~= '' then put('problem:' .. action, problem) end
if scores ~= '' then put('sent_scores:' .. action, scores) end
return state
