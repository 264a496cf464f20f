-- Takes what owners held whose lease has run out, as much as one script may, and ends revocations whose time has passed, and
-- the memory of queues that nobody uses.
-- Keys: owners, held, begun, unheard, intakes, intake, the lists, unacked_index, revoked….
-- ARGV: owner lease known handout max_deliveries visibility_timeout ended
-- Gives {returned, stale messages of Celery's workers, 1 if the own lease was lost, the time, 1 if that was all,
-- {(field element)... now held by the caller}}
-- Seconds for which a wait may still reach the server that was sent while the network was down.
local GRACE = 60
insist()
if is_void(owner, handout) then return {0, 0, 0, '0', 1, {}} end
local time, most = now(), tonumber(max_deliveries)
local returned, lost, stranded = 0, false, {}

local function strand(field, element)
  if #stranded == 0 then lost = register(owner, tonumber(lease), known, time) end
  local step, queue = place(field)
  local mine = handout .. '.' .. (#stranded / 2 + 1) .. ' ' .. step .. ' ' .. queue
  redis.call('HSET', held(owner), mine, element)
  stranded[#stranded + 1], stranded[#stranded + 2] = mine, element
end

-- What a dead owner held stands from now on under a name that nobody renews, until all of it is given back: the owner may come
-- back meanwhile, and hold new things.
local function estate_of(dead)
  if string.find(dead, '~', 1, true) then return dead end
  local estate = dead .. '~' .. string.format('%.6f', time)
  redis.call('ZREM', OWNERS, dead)
  redis.call('DEL', unheard(dead))
  if redis.call('EXISTS', begun(dead)) == 1 then redis.call('RENAME', begun(dead), begun(estate)) end
  if redis.call('EXISTS', held(dead)) == 1 then redis.call('RENAME', held(dead), held(estate)) end
  redis.call('ZADD', OWNERS, 0, estate)
  return estate
end

for _, dead in ipairs(redis.call('ZRANGEBYSCORE', OWNERS, '-inf', math.min(time, tonumber(ended)))) do
  if dead ~= owner then
    left.count = left.count - 1
    local estate = estate_of(dead)
    local was_all = empty_hands(estate, function(field, element)
      local attempts, was_begun, parked, due, bare = past(element)
      attempts = attempts + 1
      if redis.call('SISMEMBER', begun(estate), field) == 1 then was_begun = '1' end
      element = with_past(bare, attempts, was_begun, parked, due)
      if was_begun == '1' or attempts >= most then
        strand(field, element)
      else
        local step, queue = place(field)
        give_back(queue, step, element)
        returned = returned + 1
      end
    end)
    if was_all then redis.call('ZREM', OWNERS, estate) end
    if not may_go_on() then break end
  end
end

-- A wait that its dead owner began may still be on in the server: its intakes are forgotten only when that is over. To look for
-- these once a second is enough, whoever does it.
local looked = tonumber(redis.call('ZSCORE', INTAKES, '') or '-inf')
if looked < time - 1 or looked > time then
  redis.call('ZADD', INTAKES, 'XX', time, '')
  each_wait(function(member, who, queues)
    if redis.call('ZSCORE', OWNERS, who) then return end
    for _, queue in ipairs(queues) do empty_intake(who, queue) end
    if tonumber(redis.call('ZSCORE', INTAKES, member)) + GRACE < time then forget_wait(member) end
  end)
end

sweep_revoked(time)
forget_queues(time)
local stale = redis.call('ZCOUNT', P .. UNACKED_INDEX, '-inf', time - tonumber(visibility_timeout))
return {returned, stale, lost and 1 or 0, string.format('%.6f', time), may_go_on() and 1 or 0, stranded}
