-- A worker takes the next records for its archive. They are due again after the lease.
-- KEYS: records due for the archive, facts about the archive
-- ARGV: id of the archive, most records, lease (ms)
-- The first archive is the one that is written. A worker with another one takes nothing.
-- Each take has a version, higher than every one before it, even after Redis's clock was set back. The records are read after
-- it, so a row of a higher version is as new as one of a lower version, or newer.
-- A crash right after it: the records come again, and their rows are written twice.
-- Returns {id of the archive that is written, version, lease, survey ids}. The lease is the score of this take alone: no
-- record changes at half a millisecond, so one that has changed since has another.
local due, facts = unpack(KEYS)
local archive, most, lease_ms = unpack(ARGV)
local seconds, micros = unpack(redis.call('TIME'))
local moment = seconds * 1000 + math.floor(micros / 1000)
local found = redis.call('ZRANGEBYSCORE', due, '-inf', string.format('%.0f', moment), 'LIMIT', '0', most)
if #found == 0 then return {archive, '0', '0', found} end
local known, last = unpack(redis.call('HMGET', facts, 'archive', 'taken'))
if known and known ~= archive then return {known, '0', '0', {}} end
local version = math.max(moment, tonumber(last or 0) + 1)
local lease = string.format('%.1f', version + tonumber(lease_ms) + 0.5)
redis.call('HSET', facts, 'archive', archive, 'taken', string.format('%.0f', version))
local taken = {}
for _, survey_id in ipairs(found) do
  table.insert(taken, lease)
  table.insert(taken, survey_id)
end
redis.call('ZADD', due, unpack(taken))
return {archive, string.format('%.0f', version), lease, found}
