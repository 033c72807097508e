-- Delete the fields of an ended record whose own retention is over.
-- KEYS: record, records to trim
-- ARGV: survey id
-- States: none changes. An open record is left alone: the end of its last journey schedules it again.
-- A crash leaves the fields deleted or not. A second run deletes nothing more.
local survey_id = unpack(ARGV)
local trims = KEYS[2]

local function leave(outcome)
  redis.call('ZREM', trims, survey_id)
  return outcome
end

if not exists() then return leave('missing') end
local ended_at = 0
for _, journey in ipairs({'offer', 'answer', 'follow_up'}) do
  if is_open(journey) then return leave('unchanged') end
  ended_at = math.max(ended_at, tonumber(get(journey .. '_ended_at') or 0))
end

local function change_json(field, change)
  local value = get(field) or ''
  if value == '' then return end
  local found = cjson.decode(value)
  change(found)
  -- Lua writes an empty list as an object. Only tags may be an empty list.
  put(field, (string.gsub(cjson.encode(found), '"tags":{}', '"tags":[]')))
end

local DROP = {
  comment = function() drop('comment') end,
  facts = function()
    drop('decision', 'language', 'answer_language')
    change_json('close', function(close) close.tags, close.user_type = nil, nil end)
  end,
  agent = function()
    change_json('close', function(close) close.agent_id = nil end)
    change_json('decision', function(decision) if decision.facts then decision.facts.agent_id = nil end end)
  end,
}
local next_at
for kind, after_ms in pairs(TRIM_AFTER_MS) do
  local at = ended_at + after_ms
  if has_to_trim(kind) then
    if at <= now() then DROP[kind]() else next_at = math.min(next_at or at, at) end
  end
end
if not next_at then return leave('trimmed') end
redis.call('ZADD', trims, text(next_at), survey_id)
return 'trimmed'
