-- One action that follows an answer: it is begun, done, failed for good, or waiting: it certainly did not happen yet.
-- KEYS: record, due follow-ups
-- ARGV: fence, action, what becomes of it, what is to be said about it or ''
-- States: following stays as it is; `begun` is said once, `again` to whoever finds it begun.
-- A crash right after `begun`: the action may have happened, and its own rule says whether it is repeated.
if not is_mine('follow_up', ARGV[1]) then return 'stale' end
if get('follow_up_state') ~= 'following' then return 'wrong_state' end
local field, problem = 'action:' .. ARGV[2], 'problem:' .. ARGV[2]
if ARGV[3] == 'begun' and get(field) == 'begun' then return 'again' end
put(field, ARGV[3])
if ARGV[4] ~= '' then put(problem, ARGV[4]) else drop(problem) end
return ARGV[3]
