-- Takes letters from the dead, to send them again ('revive') or for good. Keys: dead, dead.count, the lists, queues.
-- ARGV: what keys...
-- Gives how many there were, and how many keys were looked at: the rest is for the next time.
local count, i, time = 0, LISTS, now()
while i <= #ARGV and may_go_on() do
  local entry = redis.call('XRANGE', DEAD, ARGV[i], ARGV[i])[1]
  if entry then
    local fields = {}
    for j = 1, #entry[2], 2 do fields[entry[2][j]] = entry[2][j + 1] end
    if what == 'revive' then
      local _, _, _, due, bare = past(fields.element)
      put(time, fields.queue, fields.step, '', '', with_past(bare, 0, '0', 'null', due))
    end
    unbury(ARGV[i], fields.queue)
    count, left.bytes = count + 1, left.bytes - #fields.element
  end
  i, left.count = i + 1, left.count - 1
end
return {count, i - LISTS}
