-- Keeps the post of a lookout. Keys: awaited, lookouts.  number owner milliseconds
-- Gives 1 if it is still its own, and the queues that somebody waits for.
insist()
local post = lookout(ARGV[1])
local holder = redis.call('GET', post)
if holder and holder ~= ARGV[2] then return {0, {}} end
redis.call('SET', post, ARGV[2], 'PX', ARGV[3])
return {1, redis.call('ZRANGEBYSCORE', AWAITED, now(), '+inf')}
