-- Ends what a dead worker of Celery's held, if nobody was faster. Keys: unacked, unacked_index, the lists, queues, the dead.
-- ARGV: tag element reason places...
-- Places: a queue and a step each.  Gives how many are ready again: one for each queue that it was sent to, as kombu does it.
-- With a reason it is buried, of the one queue that is named; without a queue only its tag was left, which goes.
insist()
if redis.call('ZREM', P .. UNACKED_INDEX, tag) == 0 then return 0 end
redis.call('HDEL', P .. UNACKED, tag)
if reason ~= '' then
  local queue, step = unpack(ARGV, LISTS)
  declare(queue, now())
  bury(queue, step, element, reason, 1, now())
  return 0
end
for i = LISTS, #ARGV, 2 do
  declare(ARGV[i], now())
  give_back(ARGV[i], ARGV[i + 1], element)
end
return (#ARGV - LISTS + 1) / 2
