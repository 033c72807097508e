-- All actions of a follow-up are done.
-- KEYS: record, due follow-ups
-- ARGV: fence, retention (ms)
-- States: following → followed.
-- A crash before it: the next claim finds all actions done, and writes this.
local fence, keep_ms = unpack(ARGV)
if get('follow_up_state') == 'followed' then return 'followed' end
if not is_current('follow_up', fence) then return 'stale' end
if get('follow_up_state') ~= 'following' then return 'wrong_state' end
finish('follow_up', 'followed', '', keep_ms)
return 'followed'
