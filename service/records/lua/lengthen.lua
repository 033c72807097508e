-- A worker begins what may take longer than a claim's lease: it hands a mail over. A mail server may let it wait.
-- KEYS: record, due offers
-- ARGV: how long the lease is from now on (ms)
-- States: delivering and reminding stay as they are. A claim that is over gets no lease.
-- A crash right after it: the journey comes due again when the longer lease ends.
if redis.call('EXISTS', record) == 0 then return 'missing' end
local state = get('offer_state')
if state ~= 'delivering' and state ~= 'reminding' then return 'wrong_state' end
local moment = now()
if tonumber(get('offer_lease') or 0) <= moment then return 'stale' end
local ends_at = moment + tonumber(ARGV[1])
put('offer_lease', text(ends_at))
redis.call('ZADD', due_set, text(ends_at), get('survey_id'))
go_first('offer', ends_at)
return 'lengthened'
