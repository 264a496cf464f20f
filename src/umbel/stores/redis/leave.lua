-- Gives back all that the owner holds, and strikes it off. Keys: owners, held, begun, unheard, intakes, intake, the lists.  owner
insist()
local owner = ARGV[1]
give_back_all(owner)
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
