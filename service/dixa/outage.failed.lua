-- Count a failed call about a conversation: no response, or an error of Dixa's own. Enough in a row mean an outage.
--
-- KEYS  failing    set: conversations with a failed call since Dixa's last good response
--       down       string: begin of the outage (ms), if there is one
--       responses  counter: good responses in a row during the outage
-- ARGV  conversation   its id
--       threshold      number of different conversations for an outage
--       window_ms      older failures do not count
--
-- Returns {1 if Dixa is down, 1 if the outage is new}.
-- Before: up or down. After: up with one more failing conversation, or down.
-- After a crash: the next claim finds Dixa down, and probes it.
local failing, down, responses = unpack(KEYS)
local conversation, threshold, window_ms = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
redis.call('DEL', responses)
if redis.call('EXISTS', down) == 1 then return {1, 0} end
redis.call('SADD', failing, conversation)
redis.call('PEXPIRE', failing, window_ms)
if redis.call('SCARD', failing) < threshold then return {0, 0} end
local seconds, microseconds = unpack(redis.call('TIME'))
redis.call('SET', down, string.format('%.0f', seconds * 1000 + math.floor(microseconds / 1000)))
-- Their surveys become due when the outage ends, however long it lasts.
redis.call('PERSIST', failing)
return {1, 1}
