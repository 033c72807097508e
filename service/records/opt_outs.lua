-- A customer opts out, or in again. The value of an opt-out is "<time, ms> <keys of the opt-outs made together with it>".
-- KEYS: opt-out of the requester's id, then of the address or number that got the link
-- ARGV: 1 to opt in, time of the customer's wish (ms, or '' for now), prefix of all keys, retention of an opt-in (ms)
-- The later of an opt-out and an opt-in counts, in whatever order they arrive: one of them may come out of a spool.
-- Returns the number of opt-outs removed by an opt-in. Returns 1 for an opt-out, or 0 if a later opt-in of the first key is
-- known.
local is_opt_in, given_at, prefix, keep_opt_in_ms = unpack(ARGV)
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

-- The opt-outs made together with the first are removed too. A later opt-out stays.
local function opt_in()
  local keys, removed = {unpack(KEYS)}, 0
  for _, key in ipairs(opted_out_together(KEYS[1])) do table.insert(keys, key) end
  for _, key in ipairs(keys) do
    if wished_at >= opted_out_at(key) then
      redis.call('SET', opt_in_key(key), text(math.max(wished_at, opted_in_at(key))), 'PX', keep_opt_in_ms)
      removed = removed + redis.call('DEL', key)
    end
  end
  return removed
end

-- A repeat only moves the time forward, so that an opt-in from between, out of a spool, no longer counts.
local function opt_out()
  local is_kept = 0
  for place, key in ipairs(KEYS) do
    if wished_at >= opted_in_at(key) then
      local others, is_known = opted_out_together(key), {[key] = true}
      for _, known in ipairs(others) do is_known[known] = true end
      for _, other in ipairs(KEYS) do
        if not is_known[other] then table.insert(others, other) end
      end
      redis.call('SET', key, table.concat({text(math.max(wished_at, opted_out_at(key))), unpack(others)}, ' '))
      redis.call('DEL', opt_in_key(key))
      if place == 1 then is_kept = 1 end
    end
  end
  return is_kept
end

return is_opt_in == '1' and opt_in() or opt_out()
