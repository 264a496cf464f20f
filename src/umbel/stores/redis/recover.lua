-- Takes what owners held whose lease has run out, and ends revocations whose time has passed.
-- Keys: owners, held, begun, unheard, intakes, intake, the lists, unacked_index, revoked….
-- owner lease known handout max_deliveries visibility_timeout
-- Gives {returned, stale messages of Celery's workers, 1 if the own lease was lost, the time, {(field element)... now held by the caller}}
-- Seconds for which a wait may still reach the server that was sent while the network was down.
local GRACE = 60
insist()
if is_void(ARGV[1], ARGV[4]) then return {0, 0, 0, '0', {}} end
local time, owner, handout, most = now(), ARGV[1], ARGV[4], tonumber(ARGV[5])
local returned, lost, stranded = 0, false, {}

local function strand(field, element, attempts, was_begun, parked, due)
  if #stranded == 0 then lost = register(owner, tonumber(ARGV[2]), ARGV[3], time) end
  local step, queue = place(field)
  local mine = handout .. '.' .. (#stranded / 2 + 1) .. ' ' .. step .. ' ' .. queue
  local changed = with_past(element, attempts, was_begun, parked, due)
  redis.call('HSET', held(owner), mine, changed)
  stranded[#stranded + 1], stranded[#stranded + 2] = mine, changed
end

for _, dead in ipairs(redis.call('ZRANGEBYSCORE', OWNERS, '-inf', time)) do
  if dead ~= owner then
    local found, back = all_held(dead), {}
    for _, item in ipairs(found) do
      local attempts, was_begun, parked, due, bare = past(item[2])
      attempts = attempts + 1
      if redis.call('SISMEMBER', begun(dead), item[1]) == 1 then was_begun = '1' end
      if was_begun == '1' or attempts >= most then
        strand(item[1], bare, attempts, was_begun, parked, due)
      else
        back[#back + 1] = {item[1], with_past(bare, attempts, was_begun, parked, due)}
      end
    end
    for i = #back, 1, -1 do
      local step, queue = place(back[i][1])
      give_back(queue, step, back[i][2])
    end
    returned = returned + #back
    redis.call('DEL', held(dead), begun(dead), unheard(dead))
    redis.call('ZREM', OWNERS, dead)
  end
end

-- A wait that its dead owner began may still be on in the server: its intake is forgotten only when that is over.
for _, member in ipairs(redis.call('ZRANGE', INTAKES, 0, -1)) do
  local who, queue = string.match(member, '^(%S+) (.*)$')
  if not redis.call('ZSCORE', OWNERS, who) then
    empty_intake(who, queue)
    if tonumber(redis.call('ZSCORE', INTAKES, member)) + GRACE < time then redis.call('ZREM', INTAKES, member) end
  end
end

sweep_revoked(time)
local stale = redis.call('ZCOUNT', P .. UNACKED_INDEX, '-inf', time - tonumber(ARGV[6]))
return {returned, stale, lost and 1 or 0, string.format('%.6f', time), stranded}
