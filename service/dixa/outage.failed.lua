-- A call about a conversation failed: no answer, or an error of Dixa's own. Enough of them in a row, and Dixa is down.
-- KEYS: the conversations that have failed since Dixa answered last, since when Dixa is down (ms), answers in a row while it
--       is down
-- ARGV: conversation, how many are enough, how long they are in a row (ms)
-- Answers {1 if Dixa is down, 1 if that is new}.
-- A crash after it: whoever asks next finds Dixa down, and looks whether it is back.
local failing, down, answers = unpack(KEYS)
local conversation, enough, row_ms = ARGV[1], tonumber(ARGV[2]), ARGV[3]
redis.call('DEL', answers)
if redis.call('EXISTS', down) == 1 then return {1, 0} end
redis.call('SADD', failing, conversation)
redis.call('PEXPIRE', failing, row_ms)
if redis.call('SCARD', failing) < enough then return {0, 0} end
local time = redis.call('TIME')
redis.call('SET', down, string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000)))
-- They are due at once when it is over.
redis.call('PERSIST', failing)
return {1, 1}
