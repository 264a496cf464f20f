-- Gives back what the owner holds, as much as one script may, and strikes it off when that was all.
-- Keys: owners, held, begun, unheard, intakes, intake, the lists.
-- ARGV: owner has_no_waits
-- Gives 1 if that was all.
insist()
local was_all = empty_hands(owner, function(field, element)
  local step, queue = place(field)
  if redis.call('SISMEMBER', begun(owner), field) == 1 then
    local attempts, _, parked, due, bare = past(element)
    element = with_past(bare, attempts, '1', parked, due)
  end
  give_back(queue, step, element)
end)
if not was_all then return 0 end
each_wait(function(member, who, queues)
  if who ~= owner then return end
  for _, queue in ipairs(queues) do empty_intake(owner, queue) end
  if has_no_waits == '1' then forget_wait(member) end
end)
redis.call('DEL', unheard(owner))
redis.call('ZREM', OWNERS, owner)
return 1
