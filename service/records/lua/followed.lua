-- All that was to follow an answer is done.
-- KEYS: record, due follow-ups
-- ARGV: fence, keep (ms)
-- States: following → followed.
-- A crash before it: the actions are known to be done, and this is written by the next claim.
if get('follow_up_state') == 'followed' then return 'followed' end
if not is_mine('follow_up', ARGV[1]) then return 'stale' end
if get('follow_up_state') ~= 'following' then return 'wrong_state' end
finish('follow_up', 'followed', '', ARGV[2])
return 'followed'
