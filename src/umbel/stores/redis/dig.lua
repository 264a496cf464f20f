-- Takes letters from the dead, to send them again ('revive') or for good. Keys: dead, dead.count, the lists, queues.
-- what key...  Gives how many there were.
local count, time = 0, now()
for i = 2, #ARGV do
  local entry = redis.call('XRANGE', DEAD, ARGV[i], ARGV[i])[1]
  if entry then
    local fields = {}
    for j = 1, #entry[2], 2 do fields[entry[2][j]] = entry[2][j + 1] end
    if ARGV[1] == 'revive' then
      local _, _, _, due, bare = past(fields.element)
      put(fields.queue, fields.step, with_past(bare, 0, '0', 'null', due), '', '', time)
    end
    unbury(ARGV[i], fields.queue)
    count = count + 1
  end
end
return count
