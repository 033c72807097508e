-- The decision whether to ask, with its reason and what it rests on, always written. To ask also takes the person's
-- turn and one of the survey's for the day, in the same step: two closes at once ask once.
-- KEYS: record, due offers, decisions of the day, the survey's asks of the day, then a key for each trait of the person
-- ARGV: fence, verdict (ask, waiting, skipped or cancelled), reason or '', language or '', keep (ms), decision (JSON),
--       terms (JSON, or '' to keep them), due at (ms, for waiting), again after (ms), keep a turn (ms), daily cap (0: none)
-- States: deciding → deciding (ask), waiting, skipped or cancelled.
-- A crash after `ask`: the journey comes due again and decides again; its turn is its own.
if not is_mine('offer', ARGV[1]) then return {'stale', ''} end
local verdict, reason, moment = ARGV[2], ARGV[3], now()
local state, survey_id = get('offer_state'), get('survey_id')
if state == verdict and verdict ~= 'waiting' then return {verdict, get('offer_reason')} end
if state ~= 'deciding' then return {'wrong_state', ''} end
put('decision', ARGV[6], 'language', ARGV[4])
if ARGV[7] ~= '' then
  put('terms', ARGV[7])
  drop('candidates')
end
if verdict == 'waiting' then
  put('offer_state', 'waiting')
  drop('offer_lease')
  wake('offer', tonumber(ARGV[8]))
  return {'waiting', ''}
end

local function find_obstacle()
  for i = 5, #KEYS do
    local asked_at, whose = string.match(redis.call('GET', KEYS[i]) or '', '^(%d+) (.+)$')
    if asked_at and whose ~= survey_id and tonumber(asked_at) + tonumber(ARGV[9]) > moment then
      put('asked_as', whose)
      return 'asked_recently'
    end
  end
  if tonumber(ARGV[11]) > 0 and tonumber(redis.call('GET', KEYS[4]) or 0) >= tonumber(ARGV[11]) then return 'daily_cap' end
end

if verdict == 'ask' and not get('turns') then
  local obstacle = find_obstacle()
  if obstacle then
    verdict, reason = 'skipped', obstacle
  else
    local before = {}
    for i = 5, #KEYS do
      before[KEYS[i]] = redis.call('GET', KEYS[i]) or ''
      redis.call('SET', KEYS[i], text(moment) .. ' ' .. survey_id, 'PX', ARGV[10])
    end
    put('turns', cjson.encode(before))
    redis.call('INCR', KEYS[4])
    redis.call('PEXPIRE', KEYS[4], 172800000)
  end
end
put('decided_at', text(moment))
count_decision(KEYS[3], verdict == 'ask' and 'asked' or reason)
if verdict ~= 'ask' then finish('offer', verdict, reason, ARGV[5]) end
return {verdict, reason}
