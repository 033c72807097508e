-- A customer starts to change the answer, or to write a comment: allow more time.
-- KEYS: record, due answers
-- ARGV: extension from now on (ms), maximum after the first answer (ms)
-- States: editable doesn't change, and is never due earlier than before. Returns `extended` with the new end (ms), or `over`
-- if the time has ended, though no worker has taken the answer yet.
-- A crash leaves it extended or not. A second run extends from that moment, up to the same maximum.
local extension_ms, max_extension_ms = unpack(ARGV)
local moment = now()
if get('answer_state') ~= 'editable' then return {'not_editable', ''} end
local first = tonumber(get('first_answered_at'))
local due = math.max(
  tonumber(get('answer_due')), math.min(moment + tonumber(extension_ms), first + tonumber(max_extension_ms))
)
if due <= moment then return {'over', ''} end
schedule('answer', due)
return {'extended', text(due)}
