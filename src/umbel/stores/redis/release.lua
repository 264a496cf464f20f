-- Gives deliveries back, in front now or in `delay` seconds. Keys: held, begun, the lists, later, soonest.
-- ARGV: owner delay counted parked fields...
-- Gives the places of those not held.
insist()
delay, counted, parked = tonumber(delay), counted == '1', parked == '1'
local time = now()
local lost, kept = {}, {}
for i = LISTS, #ARGV do
  local element = redis.call('HGET', held(owner), ARGV[i])
  if element then
    redis.call('HDEL', held(owner), ARGV[i])
    local was_begun = redis.call('SREM', begun(owner), ARGV[i]) == 1
    kept[#kept + 1] = {ARGV[i], element, was_begun and counted}
  else
    lost[#lost + 1] = i - LISTS
  end
end
for i = #kept, 1, -1 do
  local step, queue = place(kept[i][1])
  local attempts, was_begun, when, was_due, bare = past(kept[i][2])
  if counted then attempts = attempts + 1 end
  if kept[i][3] then was_begun = '1' end
  if parked and when == 'null' then when = string.format('%.6f', time) end
  local element = with_past(bare, attempts, was_begun, when, was_due)
  if delay > 0 then
    postpone(queue, step, element, time + delay, string.format('%016d', i), time)
  else
    give_back(queue, step, element)
  end
end
return lost
