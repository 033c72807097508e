-- Trying again is useless, or has been tried for too long. Everything is kept for an operator to try again.
-- KEYS: record, due set, decisions of the day
-- ARGV: journey, fence, reason, keep (ms), keep what a retry needs of the customer (ms)
-- States: every open state that a task works on → dead.
-- A crash before it: the journey comes due again and ends the same way.
if not is_mine(ARGV[1], ARGV[2]) then return 'stale' end
if get(ARGV[1] .. '_state') == 'dead' then return 'dead' end
if not is_open(ARGV[1]) then return 'wrong_state' end
-- Who was to be asked and can't be isn't counted as asked.
if ARGV[1] == 'offer' then count_decision(KEYS[3], ARGV[3]) end
finish(ARGV[1], 'dead', ARGV[3], ARGV[4], ARGV[5])
return 'dead'
