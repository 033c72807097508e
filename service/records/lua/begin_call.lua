-- A call to Dixa that must not happen twice is about to be sent: write that first.
-- KEYS: record, due set
-- ARGV: journey, fence, rating type, rating ids seen before (JSON), least time left of the lease (ms)
-- States: deciding or offering → offering; editable or submitting → submitting. Returns the record: from here on the answer
-- can't change, so this is the one to submit.
-- A crash right after it: the call may have been sent, so its outcome is looked up before it is sent again.
local journey, fence, rating, seen, min_lease_ms = unpack(ARGV)
local moment = now()
local NEXT = {
  offer = {deciding = 'offering', offering = 'offering'},
  answer = {editable = 'submitting', submitting = 'submitting'},
}
if not is_current(journey, fence) then return {'stale'} end
local to = NEXT[journey][get(journey .. '_state') or '']
if not to then return {'wrong_state'} end
if get(journey .. '_call') then return {'in_flight'} end
if tonumber(get(journey .. '_due')) > moment then return {'early'} end
local lease = tonumber(get(journey .. '_lease') or 0)
if lease - moment < tonumber(min_lease_ms) then return {'late'} end
put(journey .. '_state', to, journey .. '_call', rating, journey .. '_sent_at', text(moment), journey .. '_seen', seen)
prioritize(journey, lease)
return {'begun', flatten(read())}
