-- One action that follows an answer: it is begun, done, failed for good, or waiting: it certainly did not happen yet.
-- KEYS: record, due follow-ups
-- ARGV: fence, action, what becomes of it, what is to be said about it or '', the scores that it tells (JSON) or ''
-- States: following stays as it is; `begun` is said once, `again` to whoever finds it begun.
-- A crash right after `begun`: the action may have happened, and its own rule says whether it is repeated.
local fence, action, becomes, problem, told = unpack(ARGV)
if not is_mine('follow_up', fence) then return 'stale' end
if get('follow_up_state') ~= 'following' then return 'wrong_state' end
local field, about = 'action:' .. action, 'problem:' .. action
if becomes == 'begun' and get(field) == 'begun' then return 'again' end
put(field, becomes)
if problem ~= '' then put(about, problem) else drop(about) end
if told ~= '' then put('told:' .. action, told) end
return becomes
