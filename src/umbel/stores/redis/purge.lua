-- Deletes what is ready or waits for its time. Keys: the lists, later, soonest.  queue  Gives how many.
local queue, count = ARGV[1], redis.call('ZCARD', later(ARGV[1]))
for _, step in ipairs(ORDER) do
  count = count + redis.call('LLEN', list(queue, step))
  redis.call('UNLINK', list(queue, step))
end
redis.call('UNLINK', later(queue), soonest(queue))
return count
