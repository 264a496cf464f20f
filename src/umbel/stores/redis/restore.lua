-- Ends what a dead worker of Celery's held, if nobody was faster. Keys: unacked, unacked_index, the lists, queues, the dead.
-- tag element reason (queue step)...  Gives how many are ready again: one for each queue that it was sent to, as kombu does it.
-- With a reason it is buried, of the one queue that is named; without a queue only its tag was left, which goes.
insist()
local tag, element, reason = ARGV[1], ARGV[2], ARGV[3]
if redis.call('ZREM', P .. UNACKED_INDEX, tag) == 0 then return 0 end
redis.call('HDEL', P .. UNACKED, tag)
if reason ~= '' then
  declare(ARGV[4], now())
  bury(ARGV[4], ARGV[5], element, reason, 1, now())
  return 0
end
for i = 4, #ARGV, 2 do
  declare(ARGV[i], now())
  give_back(ARGV[i], ARGV[i + 1], element)
end
return (#ARGV - 3) / 2
