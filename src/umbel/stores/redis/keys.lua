-- Every key that the broker touches; P is the prefix, SEP stands between a queue and a step.
--
--   P<queue>                       list    kombu's: messages without a priority; RPUSH end is the front
--   P<queue>SEP<3 6 9>             list    kombu's: less urgent ones, sent by Celery
--   P<queue>SEP<+1 to +9>          list    more urgent ones, sent by umbel
--   Pumbel.later.<queue>           zset    "<step> <order> <element>" by the time when it is due
--   Pumbel.soonest.<queue>         string  when the next of them is due; expires soon after it
--   Pumbel.owners                  zset    owners by the end of their lease; "<owner>~<when>" is what a dead one has left
--   Pumbel.held.<owner>            hash    "<handout>.<number> <step> <queue>" -> element; given back when the lease ends
--   Pumbel.begun.<owner>           set     those of them that run with early acknowledgement
--   Pumbel.unheard.<owner>         set     hand-outs whose replies never reached the owner; expires
--   Pumbel.intakes                 zset    "<owner> <queues in JSON>" by the time until when a wait may fill these intakes; '' by
--                                          the time when somebody last looked for those whose owner is gone
--   Pumbel.intake.<owner> <queue>  list    what a wait has just moved; given back when the owner is gone
--   Pumbel.awaited                 zset    queues that somebody waits to be called to, by the time until when
--   Pumbel.lookout.<1 2>           string  the owner that looks out for those; expires
--   Pumbel.call.<queue>            zset    one member, '', if somebody who waits is to look at it; expires
--   Pumbel.dead                    stream  dead letters: element, queue, step, reason, when, attempt
--   Pumbel.dead.count              hash    queue -> how many of them
--   Pumbel.once.<stream>           string  the last number that was sent of it; expires
--   Pumbel.revoked                 zset    tasks that are not to run, by the mark of their revocation; as long as one is kept
--   Pumbel.revoked.until           zset    the same, by the time until when they are
--   Pumbel.revoked.signal          hash    task -> the signal that is to end its run
--   Pumbel.revoked.mark            string  the last mark: microseconds, and never less than the one before
--   Pumbel.queues                  zset    the queues that umbel was told of within a week, by twice the time of it; one more if it
--                                          was umbel that has made the binding
--   P_kombu.binding.<queue>        set     kombu's: so that Celery's tools see the queue
--   Punacked, Punacked_index       hash, zset    kombu's: what Celery's workers hold
--   Punacked_mutex                 string  kombu's: who gives back what dead ones held; expires
--
-- An element is kombu's envelope in JSON. One with a past begins with {"umbel":[attempts,begun,parked,due], and is an
-- envelope for kombu all the same.
local OWNERS = P .. 'umbel.owners'
local INTAKES = P .. 'umbel.intakes'
local QUEUES = P .. 'umbel.queues'
local DEAD, DEAD_COUNT = P .. 'umbel.dead', P .. 'umbel.dead.count'

local REVOKED, REVOKED_UNTIL = P .. 'umbel.revoked', P .. 'umbel.revoked.until'
local REVOKED_SIGNAL = P .. 'umbel.revoked.signal'
local REVOKED_MARK = P .. 'umbel.revoked.mark'

local AWAITED, AWAIT = P .. 'umbel.awaited', 600

local function list(queue, step)
  if step == '0' then return P .. queue end
  return P .. queue .. SEP .. step
end
local function later(queue) return P .. 'umbel.later.' .. queue end
local function soonest(queue) return P .. 'umbel.soonest.' .. queue end
local function held(owner) return P .. 'umbel.held.' .. owner end
local function begun(owner) return P .. 'umbel.begun.' .. owner end
local function unheard(owner) return P .. 'umbel.unheard.' .. owner end
local function lookout(number) return P .. 'umbel.lookout.' .. number end
local function call(queue) return P .. 'umbel.call.' .. queue end
local function once(stream) return P .. 'umbel.once.' .. stream end
local function intake(owner, queue) return P .. 'umbel.intake.' .. owner .. ' ' .. queue end

local function now()
  local time = redis.call('TIME')
  return tonumber(time[1]) + tonumber(time[2]) / 1000000
end

-- Step and queue of what is held in this field.
local function place(field) return string.match(field, '^%S+ (%S+) (.*)$') end

-- What befell an element before: attempts, begun, parked, due, and the element without it.
local function past(element)
  local attempts, was_begun, parked, due, rest =
    string.match(element, '^{"umbel": ?%[(%d+), ?(%d), ?([^,%]]+), ?([^,%]]+)%], ?()')
  if attempts then return tonumber(attempts), was_begun, parked, due, '{' .. string.sub(element, rest) end
  return 0, '0', 'null', 'null', element
end

local function with_past(element, attempts, was_begun, parked, due)
  if string.sub(element, 1, 1) ~= '{' then return element end
  if attempts == 0 and was_begun == '0' and parked == 'null' and due == 'null' then return element end
  local told = attempts .. ',' .. was_begun .. ',' .. parked .. ',' .. due
  return '{"umbel":[' .. told .. '],' .. string.sub(element, 2)
end

local function bury(queue, step, element, reason, attempt, time)
  redis.call('XADD', DEAD, '*', 'element', element, 'queue', queue, 'step', step, 'reason', reason,
    'when', string.format('%.6f', time), 'attempt', attempt)
  redis.call('HINCRBY', DEAD_COUNT, queue, 1)
end

-- In front of what is equally urgent; or to the dead, if meanwhile another program has put something else under the queue's name.
local function give_back(queue, step, element)
  if type(redis.pcall('RPUSH', list(queue, step), element)) == 'table' then
    bury(queue, step, element, 'it could not go back to its queue: the key of that name is no list now', past(element) + 1, now())
  end
end

local HOUR, WEEK = 3600, 604800
local function binding(queue) return P .. '_kombu.binding.' .. queue, queue .. SEP .. SEP .. queue end

-- Lets Celery's tools, and umbel's own, know of the queue. Most of the time they do: to look whether it was within the hour costs less.
local function declare(queue, time)
  local known = tonumber(redis.call('ZSCORE', QUEUES, queue))
  if known and math.abs(known / 2 - time) < HOUR then return end
  local is_new = redis.call('SADD', binding(queue)) == 1
  local is_ours = is_new or (known and known % 2 == 1)
  redis.call('ZADD', QUEUES, math.floor(time) * 2 + (is_ours and 1 or 0), queue)
  redis.call('EXPIRE', QUEUES, WEEK)
end

-- Forgets some queues that nobody has used for a week and that hold nothing, and their bindings if nobody else has made them.
local function forget_queues(time)
  for _, queue in ipairs(redis.call('ZRANGEBYSCORE', QUEUES, '-inf', (time - WEEK) * 2, 'LIMIT', 0, 10)) do
    local lists = {later(queue)}
    for _, step in ipairs(ORDER) do lists[#lists + 1] = list(queue, step) end
    if redis.call('EXISTS', unpack(lists)) + redis.call('HEXISTS', DEAD_COUNT, queue) > 0 then
      redis.call('ZADD', QUEUES, redis.call('ZSCORE', QUEUES, queue) + 2 * WEEK, queue)
    else
      if redis.call('ZSCORE', QUEUES, queue) % 2 == 1 then redis.call('SREM', binding(queue)) end
      redis.call('ZREM', QUEUES, queue)
    end
  end
end

-- Lets those who wait know of the next due time: `due`, or none.
local function tell_soonest(queue, due, time)
  if not due then return redis.call('DEL', soonest(queue)) end
  local life = math.min(math.max(due - time, 0) + 10, 1000000000)
  redis.call('SET', soonest(queue), string.format('%.6f', due), 'EX', string.format('%d', life))
end

local function next_due(queue) return tonumber(redis.call('ZRANGE', later(queue), 0, 0, 'WITHSCORES')[2]) end

-- Keep it until it is due; those who wait hear of it only if it is the next.
local function postpone(queue, step, element, due, order, time)
  redis.call('ZADD', later(queue), due, step .. ' ' .. order .. ' ' .. element)
  due = tonumber(due)
  if due < tonumber(redis.call('GET', soonest(queue)) or 'inf') then tell_soonest(queue, due, time) end
end

-- A message among the arguments: queue, step, due (or ''), order and element.
local MESSAGE = 5
local function put(time, queue, step, due, order, element)
  redis.call('ZADD', QUEUES, 'NX', math.floor(time) * 2, queue)
  if due ~= '' and tonumber(due) > time then
    postpone(queue, step, element, due, order, time)
  else
    redis.call('LPUSH', list(queue, step), element)
  end
end

-- Puts in line what is due by `until_`, some at a time, and not too much of it, as they may be long; gives how much it was.
local function wake(queue, until_, time)
  local chunk, at_once, most_bytes = 100, 1000, 4194304
  local count, bytes = 0, 0
  repeat
    -- Those before tell how long they may be; as others behind them may be longer, not many more are read than there were.
    local fit = count == 0 and 1 or math.floor((most_bytes - bytes) * count / bytes)
    local some = math.max(math.min(chunk, fit, 2 * count), 1)
    local due, woken = redis.call('ZRANGEBYSCORE', later(queue), '-inf', until_, 'LIMIT', 0, some), 0
    if #due == 0 then break end
    redis.call('LLEN', list(queue, '0')) -- an error before anything has moved, if another program uses the key
    while woken < #due and bytes < most_bytes do
      woken = woken + 1
      local member = due[woken]
      local step, start = string.match(member, '^(%S+) %S+ ()')
      redis.call('LPUSH', list(queue, step), string.sub(member, start))
      bytes = bytes + #member
    end
    redis.call('ZREMRANGEBYRANK', later(queue), 0, woken - 1)
    count = count + woken
  until #due < some or count >= at_once or bytes >= most_bytes
  if count > 0 then tell_soonest(queue, next_due(queue), time) end
  return count
end

-- Adds to `counts` how much of each queue these owners hold.
local function count_held(owners, counts)
  for _, owner in ipairs(owners) do
    for _, field in ipairs(redis.call('HKEYS', held(owner))) do
      local _, queue = place(field)
      counts[queue] = (counts[queue] or 0) + 1
    end
  end
end

-- What is held, the last hand-out first: field and number of each.
local function all_held(owner)
  local found = {}
  for i, field in ipairs(redis.call('HKEYS', held(owner))) do
    local handout, number = string.match(field, '^(%d+)%.(%d+)')
    found[i] = {field, tonumber(handout), tonumber(number)}
  end
  table.sort(found, function(a, b)
    if a[2] ~= b[2] then return a[2] > b[2] end
    return a[3] > b[3]
  end)
  return found
end

-- How much one script may still move: others wait meanwhile.
local left = {count = 1000, bytes = 4194304}
local function may_go_on() return left.count > 0 and left.bytes > 0 end

-- Lets `move` have each field and element that the owner holds, the last first, so that the first is at last in front.
-- True if that was all; else it was enough for one script.
local function empty_hands(owner, move)
  for _, each in ipairs(all_held(owner)) do
    if not may_go_on() then return false end
    local field = each[1]
    local element = redis.call('HGET', held(owner), field)
    move(field, element)
    redis.call('HDEL', held(owner), field)
    left.count, left.bytes = left.count - 1, left.bytes - #element
  end
  redis.call('DEL', held(owner), begun(owner))
  return true
end

-- What went out under these numbers goes back, as the owner never heard of it.
local function take_back(owner, numbers)
  local void = {}
  for number in string.gmatch(numbers, '%d+') do
    void[tonumber(number)] = true
    redis.call('SADD', unheard(owner), number)
  end
  if not next(void) then return end
  redis.call('EXPIRE', unheard(owner), 3600)
  for _, each in ipairs(all_held(owner)) do
    local field = each[1]
    if void[each[2]] then
      local step, queue = place(field)
      give_back(queue, step, redis.call('HGET', held(owner), field))
      redis.call('HDEL', held(owner), field)
    end
  end
end

-- True if the owner has given this request up: then it comes too late, and would hand out what nobody knows of.
local function is_void(owner, handout) return redis.call('SISMEMBER', unheard(owner), handout) == 1 end

-- What a wait has moved goes back to where it was, in front.
local function empty_intake(owner, queue)
  local source = intake(owner, queue)
  while redis.call('LLEN', source) > 0 do redis.call('LMOVE', source, list(queue, '0'), 'LEFT', 'RIGHT') end
end

local function forget_wait(member)
  redis.call('ZREM', INTAKES, member)
  if redis.call('ZCARD', INTAKES) == 1 then redis.call('ZREM', INTAKES, '') end
end

-- Lets `look` have each wait that may be on: its member, its owner, and its queues.
local function each_wait(look)
  for _, member in ipairs(redis.call('ZRANGE', INTAKES, 0, -1)) do
    local owner, start = string.match(member, '^(%S+) ()')
    if owner then look(member, owner, cjson.decode(string.sub(member, start))) end -- all but ''
  end
end

local function unbury(key, queue)
  redis.call('XDEL', DEAD, key)
  if redis.call('HINCRBY', DEAD_COUNT, queue, -1) < 1 then redis.call('HDEL', DEAD_COUNT, queue) end
  if redis.call('XLEN', DEAD) == 0 then redis.call('DEL', DEAD) end
end

-- Registers the owner if nobody knows it (any more); true if it was known before, and so has lost its lease.
local function register(owner, lease, known, time)
  if redis.call('ZSCORE', OWNERS, owner) then return false end
  redis.call('ZADD', OWNERS, time + lease, owner)
  return known == '1'
end

local function end_revocation(id)
  redis.call('ZREM', REVOKED, id)
  redis.call('ZREM', REVOKED_UNTIL, id)
  redis.call('HDEL', REVOKED_SIGNAL, id)
  if redis.call('EXISTS', REVOKED) == 0 then redis.call('DEL', REVOKED_MARK) end
end

-- Ends some of the revocations whose time has passed.
local function sweep_revoked(time)
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', REVOKED_UNTIL, '-inf', time, 'LIMIT', 0, 1000)) do end_revocation(id) end
end
