-- Right before a call that must not be made twice: write that it is being made.
-- KEYS: record, due set
-- ARGV: journey, fence, rating type, rating ids seen before (JSON), least that must be left of the lease (ms)
-- States: deciding or offering → offering; held or submitting → submitting. Answers with the record as it is now:
-- from here on an answer can't be changed.
-- A crash right after it: the call may have been made, so its outcome is looked for before it is made again.
local journey, moment = ARGV[1], now()
local FROM = {
  offer = {deciding = 'offering', offering = 'offering'},
  answer = {held = 'submitting', submitting = 'submitting'},
}
if not is_mine(journey, ARGV[2]) then return {'stale'} end
local to = FROM[journey][get(journey .. '_state') or '']
if not to then return {'wrong_state'} end
if get(journey .. '_call') then return {'in_flight'} end
if tonumber(get(journey .. '_due')) > moment then return {'early'} end
if tonumber(get(journey .. '_lease') or 0) - moment < tonumber(ARGV[5]) then return {'late'} end
put(journey .. '_state', to, journey .. '_call', ARGV[3], journey .. '_sent_at', text(moment), journey .. '_seen', ARGV[4])
go_first(journey, tonumber(get(journey .. '_lease')))
return {'marked', redis.call('HGETALL', record)}
