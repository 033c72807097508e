-- Shared by opt-out and opt-in. The value of an opt-out is "<time, ms> <keys of the opt-outs made together with it>".
-- ARGV: time of the customer's wish (ms, or '' for now), prefix of all keys, retention of an opt-in (ms)
local given_at, prefix, keep_opt_in_ms = unpack(ARGV)
local OPT_OUT, OPT_IN = prefix .. 'stopped:', prefix .. 'unstopped:'
local seconds, micros = unpack(redis.call('TIME'))
local now = seconds * 1000 + math.floor(micros / 1000)
-- A host's clock may be ahead. A wish dated in the future would outlive the next one.
local wished_at = math.min(tonumber(given_at) or now, now)

local function text(number) return string.format('%.0f', number) end

local function opted_out_at(key) return tonumber(string.match(redis.call('GET', key) or '', '^%d+') or 0) end

local function opt_in_key(key) return OPT_IN .. string.sub(key, #OPT_OUT + 1) end

local function opted_in_at(key) return tonumber(redis.call('GET', opt_in_key(key)) or 0) end

local function opted_out_together(key)
  local keys = {}
  for word in string.gmatch(redis.call('GET', key) or '', '%S+') do
    if string.sub(word, 1, #OPT_OUT) == OPT_OUT then table.insert(keys, word) end
  end
  return keys
end
