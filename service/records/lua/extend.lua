-- A customer begins to change the answer, or to write a comment: give more time for it.
-- KEYS: record, due answers
-- ARGV: from now on (ms), at most after the first answer (ms)
-- States: held stays as it is, and is never due earlier than before. Answers `extended`, with the moment (ms) until which
-- it can be changed, or `over`: its time is up, though no worker has taken it yet.
-- A crash leaves it extended or not; running it again extends from then, to the same limit.
-- An older version wrote no `held_since`: its first answer is the last one that is known.
local extend_ms, limit_ms = tonumber(ARGV[1]), tonumber(ARGV[2])
local moment = now()
if get('answer_state') ~= 'held' then return {'not_held', ''} end
local first = tonumber(get('held_since') or get('answered_at'))
local due = math.max(tonumber(get('answer_due')), math.min(moment + extend_ms, first + limit_ms))
if due <= moment then return {'over', ''} end
wake('answer', due)
return {'extended', text(due)}
