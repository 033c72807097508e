-- Count a failed call about a conversation: no response, or an error of Dixa's own. Enough in a row mean an outage.
--
-- KEYS  failing    string: conversations with a failed call since Dixa's last good response, separated by spaces
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
local found, count, is_known = redis.call('GET', failing) or '', 0, false
for each in string.gmatch(found, '%S+') do
  count = count + 1
  if each == conversation then is_known = true end
end
if not is_known then found, count = found .. ' ' .. conversation, count + 1 end
if count < threshold then
  redis.call('SET', failing, found, 'PX', window_ms)
  return {0, 0}
end
local seconds, microseconds = unpack(redis.call('TIME'))
redis.call('SET', down, string.format('%.0f', seconds * 1000 + math.floor(microseconds / 1000)))
-- Without an expiry: their surveys become due when the outage ends, however long it lasts.
redis.call('SET', failing, found)
return {1, 1}
