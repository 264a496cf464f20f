-- How full queues are. Keys: all of keys.lua, read only.
-- ARGV: most queues...
-- All known ones that hold anything if none is named.
-- Gives 1 if what is held is among it, 0 if that is more than `most`; and
-- {queue ready held later dead {time of the eldest of each list, or the whole of what tells it}}...
local time, asked, holds = now(), {unpack(ARGV, LISTS)}, {}
local owners, all = redis.call('ZRANGE', OWNERS, 0, -1), 0
for _, owner in ipairs(owners) do all = all + redis.call('HLEN', held(owner)) end
local is_whole = all <= tonumber(most)
local reply = {is_whole and 1 or 0}
if is_whole then count_held(owners, holds) end
local moved = {}
each_wait(function(_, owner, queues)
  for _, queue in ipairs(queues) do moved[queue] = (moved[queue] or 0) + redis.call('LLEN', intake(owner, queue)) end
end)

-- Tag and due time of the element that is ready longest, of those that tell it: the tag of one of umbel's own says when it was
-- made, a tag of Celery's does not. What lies before the first that does is older still.
local LOOK_AT = 16
local function eldest(queue, step)
  for place = -1, -LOOK_AT, -1 do
    local element = redis.call('LINDEX', list(queue, step), place)
    if not element then return end
    local _, _, _, due, bare = past(element)
    local tag = string.match(bare, '"delivery_tag": ?"([%x-]+)"[^"]*$') or string.match(bare, '"delivery_tag": ?"([%x-]+)"') or ''
    if due ~= 'null' or string.sub(tag, 15, 15) == '7' then return tag .. ' ' .. due end
  end
end

if #asked == 0 then asked = redis.call('ZRANGE', QUEUES, 0, -1) end
for _, queue in ipairs(asked) do
  local ready, ages = moved[queue] or 0, {}
  for _, step in ipairs(ORDER) do
    ready = ready + redis.call('LLEN', list(queue, step))
    ages[#ages + 1] = eldest(queue, step)
  end
  local due = redis.call('ZCOUNT', later(queue), '-inf', time)
  local waiting = redis.call('ZCARD', later(queue)) - due
  local dead = tonumber(redis.call('HGET', DEAD_COUNT, queue) or 0)
  if due > 0 then ages[#ages + 1] = ' ' .. redis.call('ZRANGE', later(queue), 0, 0, 'WITHSCORES')[2] end
  local count = ready + due + waiting + dead + (holds[queue] or 0)
  if #ARGV >= LISTS or count > 0 then
    reply[#reply + 1] = {queue, ready + due, holds[queue] or 0, waiting, dead, ages, string.format('%.6f', time)}
  end
end
return reply
