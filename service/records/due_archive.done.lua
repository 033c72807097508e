-- The rows of a take are written: forget its records, unless they have changed since.
-- KEYS: records due for the archive, facts about the archive
-- ARGV: lease of the take, its version
-- A crash before it: the records come again, and their rows are written twice.
local due, facts = unpack(KEYS)
local lease, version = unpack(ARGV)
redis.call('ZREMRANGEBYSCORE', due, lease, lease)
if tonumber(version) > tonumber(redis.call('HGET', facts, 'version') or 0) then
  local seconds, micros = unpack(redis.call('TIME'))
  local written_at = string.format('%.0f', seconds * 1000 + math.floor(micros / 1000))
  redis.call('HSET', facts, 'version', version, 'written_at', written_at)
end
return redis.status_reply('OK')
