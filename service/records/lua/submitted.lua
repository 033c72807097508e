-- Dixa has the result (its answer said so, or a look found it rated).
-- KEYS: record, due answers
-- ARGV: fence, rating type, keep (ms), keep the comment for a retry (ms), then every rating type that was answered
-- States: submitting or unknown → submitted, or submitting while another rating is still to be submitted.
-- Once all is submitted, and what follows is over, the comment is deleted: it is in Dixa. If that has failed, a retry has
-- it for some time yet.
-- A crash before it: the look finds it rated.
if not is_mine('answer', ARGV[1]) then return 'stale' end
local state = get('answer_state')
if get('submitted:' .. ARGV[2]) and not get('answer_call') then return state end
if (state ~= 'submitting' and state ~= 'unknown') or get('answer_call') ~= ARGV[2] then return 'wrong_state' end
put('submitted:' .. ARGV[2], text(now()), 'answer_state', 'submitting')
forget_call('answer')
drop('answer_tries')
for i = 5, #ARGV do
  if not get('submitted:' .. ARGV[i]) then return 'submitting' end
end
finish('answer', 'submitted', '', ARGV[3], ARGV[4])
return 'submitted'
