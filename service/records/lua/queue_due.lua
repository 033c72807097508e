-- The relay queues a task for each due survey, in the order of the journeys given, as far as there is room. Within a journey,
-- surveys closest to their end come first.
-- KEYS: queue of tasks, then the due set of each journey
-- ARGV: room (tasks waiting in the queue), time until a survey is due again (ms), then for each journey its name, how many
--       may begin now, how many may be queued in spite of that, how many may be queued at most
-- States: none changes.
-- A crash right after it only delays: the surveys come due again.
-- Returns {tasks queued, tasks waiting then (0 if none was due), surveys left that are due (1 or 0), time until the next
-- one is due (ms, or -1 for none)}. Without a due survey it costs one read of each set.
local room, requeue_after_ms = tonumber(ARGV[1]), tonumber(ARGV[2])
local queue = KEYS[1]
local moment = now()
local waiting, queued, is_more, next_ms = nil, 0, 0, -1

-- Return the time until the first survey is due, and those due by now, up to `most` and one more, which shows whether any is
-- left.
local function read_ahead(due_key, most)
  local flat, due = redis.call('ZRANGE', due_key, '0', text(most), 'WITHSCORES'), {}
  for place = 1, #flat, 2 do
    if tonumber(flat[place + 1]) <= moment then table.insert(due, flat[place]) end
  end
  local first = tonumber(flat[2])
  return first and first - moment, due
end

-- Return how many were taken, and whether any is left.
local function take_from(due_key, journey, limit, due)
  local first_key = due_key .. ':first'
  local taken = redis.call('ZRANGEBYSCORE', first_key, '-inf', text(moment), 'LIMIT', '0', text(limit))
  local firsts, is_taken, is_left = #taken, {}, false
  for _, survey_id in ipairs(taken) do is_taken[survey_id] = true end
  -- Those of the first set are in the due set, too.
  for _, survey_id in ipairs(due) do
    if not is_taken[survey_id] then
      is_left = #taken == limit
      if not is_left then table.insert(taken, survey_id) end
    end
  end
  local tasks, scores = {}, {}
  for i, survey_id in ipairs(taken) do
    tasks[i] = task_of(journey, survey_id)
    scores[2 * i - 1], scores[2 * i] = text(moment + requeue_after_ms), survey_id
  end
  redis.call('LPUSH', queue, unpack(tasks))
  redis.call('ZADD', due_key, unpack(scores))
  if firsts > 0 then redis.call('ZREM', first_key, unpack(taken, 1, firsts)) end
  return #taken, is_left
end

for i = 2, #KEYS do
  local journey, free, least, most = unpack(ARGV, 4 * i - 5, 4 * i - 2)
  local due_in, due = read_ahead(KEYS[i], math.min(room, most))
  if due_in and due_in <= 0 then
    waiting = waiting or redis.call('LLEN', queue)
    local limit = math.min(room - waiting, math.max(free - waiting, least), most)
    if limit > 0 then
      local count, is_left = take_from(KEYS[i], journey, limit, due)
      waiting, queued = waiting + count, queued + count
      due_in = is_left and 0 or read_ahead(KEYS[i], 0)
    end
  end
  if due_in and due_in <= 0 then
    is_more = 1
  elseif due_in and (next_ms < 0 or due_in < next_ms) then
    next_ms = due_in
  end
end
return {queued, waiting or 0, is_more, next_ms}
