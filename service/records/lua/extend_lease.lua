-- A worker is about to hand a mail over. A mail server may take longer to accept it than the lease of a claim lasts.
-- KEYS: record, due offers
-- ARGV: new lease, from now on (ms)
-- States: delivering and reminding don't change. A claim whose lease has ended gets none.
-- A crash right after it: the journey comes due again when the longer lease ends.
local lease_ms = unpack(ARGV)
if not exists() then return 'missing' end
local state = get('offer_state')
if state ~= 'delivering' and state ~= 'reminding' then return 'wrong_state' end
local moment = now()
if tonumber(get('offer_lease') or 0) <= moment then return 'stale' end
local ends_at = moment + tonumber(lease_ms)
put('offer_lease', text(ends_at))
redis.call('ZADD', due_set, text(ends_at), get('survey_id'))
prioritize('offer', ends_at)
return 'extended'
