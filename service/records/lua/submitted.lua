-- Dixa has the result: its response says so, or a look-up found it.
-- KEYS: record, due answers
-- ARGV: fence, rating type, retention (ms), how long the comment is kept for a retry (ms), then every rating type answered
-- States: submitting or unknown → submitted, or → submitting while another rating is not submitted yet.
-- A crash before it: the look-up finds the rating.
local fence, rating, keep_ms, retry_ms = unpack(ARGV)
if not is_current('answer', fence) then return 'stale' end
local state = get('answer_state')
if get('submitted:' .. rating) and not get('answer_call') then return state end
if (state ~= 'submitting' and state ~= 'unknown') or get('answer_call') ~= rating then return 'wrong_state' end
put('submitted:' .. rating, text(now()), 'answer_state', 'submitting')
forget_call('answer')
drop('answer_tries')
for _, answered in ipairs({unpack(ARGV, 5)}) do
  if not get('submitted:' .. answered) then return 'submitting' end
end
finish('answer', 'submitted', '', keep_ms, retry_ms)
return 'submitted'
