-- A conversation was closed: make its record, once.
-- KEYS: record, due offers
-- ARGV: survey id, conversation id, close (JSON), terms (JSON or ''), closed at (ms), delay (ms), reason or '', keep (ms)
-- States: none → waiting, or none → skipped when a reason is given; any other state stays as it is.
-- A crash leaves the record whole or absent; the same event again answers `duplicate`.
if redis.call('EXISTS', record) == 1 then return {'duplicate', 0} end
local moment = now()
put('v', '1', 'survey_id', ARGV[1], 'conversation_id', ARGV[2], 'close', ARGV[3], 'terms', ARGV[4],
  'accepted_at', text(moment))
if ARGV[7] ~= '' then
  finish('offer', 'skipped', ARGV[7], ARGV[8])
  return {'skipped', 0}
end
-- A close can't lie in the future: Dixa's clock may be ahead of ours, the wait is counted from now then.
local due = math.min(tonumber(ARGV[5]), moment) + tonumber(ARGV[6])
put('offer_state', 'waiting')
wake_by_hint('offer', due, moment)
return {'accepted', due <= moment and 1 or 0}
