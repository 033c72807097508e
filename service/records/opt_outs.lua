-- What a stop and its undo share. A stop is "<since, ms> <the names of what was stopped together with it>"; an older one may
-- lack the moment, and of an address or number it was "1".
-- ARGV: when it was wished (ms; empty: now), the prefix of our names, how long an undo is kept (ms)
local STOPPED, UNDONE = ARGV[2] .. 'stopped:', ARGV[2] .. 'unstopped:'
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
-- A moment by a host's clock that is ahead must not outlive what is wished afterwards.
local wished_at = math.min(tonumber(ARGV[1]) or now, now)

local function since(name) return tonumber(string.match(redis.call('GET', name) or '', '^%d+') or 0) end

local function undone_name(name) return UNDONE .. string.sub(name, #STOPPED + 1) end

local function undone_at(name) return tonumber(redis.call('GET', undone_name(name)) or 0) end

local function stopped_with(name)
  local names = {}
  for word in string.gmatch(redis.call('GET', name) or '', '%S+') do
    if string.sub(word, 1, #STOPPED) == STOPPED then table.insert(names, word) end
  end
  return names
end

local function write(moment) return string.format('%.0f', moment) end
