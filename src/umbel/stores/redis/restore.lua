-- Gives back one message that a dead worker of Celery's held, if nobody was faster. Keys: unacked, unacked_index, a list.
-- tag list element
if redis.call('ZREM', P .. UNACKED_INDEX, ARGV[1]) == 0 then return 0 end
redis.call('HDEL', P .. UNACKED, ARGV[1])
redis.call('RPUSH', P .. ARGV[2], ARGV[3])
return 1
