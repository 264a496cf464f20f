-- Deletes what is ready or waits for its time. Keys: the lists, later, soonest.
-- ARGV: queue
-- Gives how many.
local count = redis.call('ZCARD', later(queue))
for _, step in ipairs(ORDER) do
  count = count + redis.call('LLEN', list(queue, step))
  redis.call('UNLINK', list(queue, step))
end
redis.call('UNLINK', later(queue), soonest(queue))
return count
