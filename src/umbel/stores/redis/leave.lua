-- Gives back all that the owner holds, and strikes it off. Keys: owners, held, begun, unheard, intakes, intake, the lists.  owner
insist()
local owner = ARGV[1]
local found = all_held(owner)
for i = #found, 1, -1 do
  local field, element = found[i][1], found[i][2]
  local step, queue = place(field)
  if redis.call('SISMEMBER', begun(owner), field) == 1 then
    local attempts, _, parked, due, bare = past(element)
    element = with_past(bare, attempts, '1', parked, due)
  end
  give_back(queue, step, element)
end
redis.call('DEL', held(owner), begun(owner))
for _, member in ipairs(redis.call('ZRANGE', INTAKES, 0, -1)) do
  local who, queue = string.match(member, '^(%S+) (.*)$')
  if who == owner then
    empty_intake(owner, queue)
    if ARGV[2] == '1' then redis.call('ZREM', INTAKES, member) end
  end
end
redis.call('DEL', unheard(owner))
redis.call('ZREM', OWNERS, owner)
return 1
