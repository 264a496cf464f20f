-- Makes ready what is due, takes up to `limit` messages fairly from the queues, and books them to the owner.
-- Keys: the lists, later, soonest, owners, held, unheard, intakes, intake, queues, bindings and revoked.mark of keys.lua.
-- ARGV: owner lease known handout missed limit turn watch is_new calls queues...
-- `missed`: hand-outs whose replies never came. `watch`: seconds for which waits may fill the intakes if nothing is there.
-- With `calls` somebody else is called to each queue that has more than is taken, and the indexes of these are what is given instead
-- of the number of waits.
-- Gives {1 if the lease was lost, seconds until the next is due or false, how many waits are on, revoked.mark or false, the time,
-- {queue, step, {element...}...}...}
local MOST_BYTES, CHUNK = 4194304, 100
limit, turn, watch, is_new, calls = tonumber(limit), tonumber(turn), tonumber(watch), is_new == '1', calls == '1'
local queues = {unpack(ARGV, LISTS)}

-- Most queues know only the plain list: one command tells.
local function lengths(queue)
  local other = {}
  for _, step in ipairs(ORDER) do
    if step ~= '0' then other[#other + 1] = list(queue, step) end
  end
  local plain = redis.call('LLEN', list(queue, '0'))
  if redis.call('EXISTS', unpack(other)) == 0 then return {['0'] = plain}, plain end
  local found, total = {}, 0
  for _, step in ipairs(ORDER) do
    found[step] = redis.call('LLEN', list(queue, step))
    total = total + found[step]
  end
  return found, total
end

-- How many to take of each queue: the same as in stores/share.py.
local function share(available)
  local taken, wanting, left = {}, {}, limit
  for step = 0, #available - 1 do
    local i = (turn + step) % #available + 1
    taken[i] = 0
    if available[i] > 0 then wanting[#wanting + 1] = i end
  end
  while #wanting > 0 and left > 0 do
    local part = math.max(math.floor(left / #wanting), 1)
    for rank = 1, math.min(#wanting, left) do
      local i = wanting[rank]
      local more = math.min(part, available[i] - taken[i])
      taken[i], left = taken[i] + more, left - more
    end
    local still = {}
    for _, i in ipairs(wanting) do
      if taken[i] < available[i] then still[#still + 1] = i end
    end
    wanting = still
  end
  return taken
end

insist()
if is_void(owner, handout) then return {0, false, 1, false, '0'} end
local time = now()
local lost = register(owner, tonumber(lease), known, time)
take_back(owner, missed)
local lens, totals, number, bytes = {}, {}, 0, 0
for i, queue in ipairs(queues) do
  if is_new then declare(queue, time) end
  empty_intake(owner, queue)
  wake(queue, time, time)
  lens[i], totals[i] = lengths(queue)
end
local reply = {lost and 1 or 0, false, 1, redis.call('GET', REVOKED_MARK), string.format('%.6f', time)}

local mine = held(owner)
local function take(group, key, queue, step, count)
  local behind = ' ' .. step .. ' ' .. queue
  while count > 0 and bytes < MOST_BYTES do
    -- Those before tell how long they may be; longer ones stay where they were.
    local fit = number == 0 and 1 or math.floor((MOST_BYTES - bytes) * number / bytes)
    local elements = redis.call('RPOP', key, math.max(math.min(count, CHUNK, fit), 1))
    local pairs = {}
    for i, element in ipairs(elements) do
      if bytes >= MOST_BYTES then
        for j = #elements, i, -1 do redis.call('RPUSH', key, table.remove(elements)) end
        count = #elements
        break
      end
      bytes = bytes + #element
      pairs[2 * i - 1] = handout .. '.' .. number + i .. behind
      pairs[2 * i] = element
    end
    redis.call('HSET', mine, unpack(pairs))
    group[#group + 1] = elements
    count, number = count - #elements, number + #elements
  end
end

local more = {}
for i, count in ipairs(share(totals)) do
  local before = number
  for _, step in ipairs(ORDER) do
    local here = math.min(count, lens[i][step] or 0)
    if here > 0 and bytes < MOST_BYTES then
      local group = {i - 1, step}
      take(group, list(queues[i], step), queues[i], step, here)
      reply[#reply + 1], count = group, count - here
    end
  end
  if calls and totals[i] > number - before then
    redis.call('ZADD', call(queues[i]), 0, '')
    redis.call('EXPIRE', call(queues[i]), AWAIT)
    more[#more + 1] = i - 1
  end
end
if number == 0 then
  local first
  for _, queue in ipairs(queues) do
    declare(queue, time) -- again, as there is time: somebody may have emptied the server
    local due, told = next_due(queue), redis.call('GET', soonest(queue))
    if told ~= (due and string.format('%.6f', due) or false) then tell_soonest(queue, due, time) end
    if due and (not first or due < first) then first = due end
  end
  if watch > 0 then
    redis.call('ZADD', INTAKES, time + watch, owner .. ' ' .. cjson.encode(queues))
    redis.call('ZADD', INTAKES, 'NX', 0, '')
  end
  if first then reply[2] = string.format('%.6f', first - time) end
  reply[3] = redis.call('ZCOUNT', INTAKES, time, '+inf')
end
if calls then reply[3] = more end
return reply
