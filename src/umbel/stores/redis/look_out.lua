-- Keeps the post of a lookout. Keys: awaited, lookouts.
-- ARGV: number owner life
-- Gives 1 if it is still its own, and the queues that somebody waits for.
insist()
local post = lookout(number)
local holder = redis.call('GET', post)
if holder and holder ~= owner then return {0, {}} end
redis.call('SET', post, owner, 'PX', life)
return {1, redis.call('ZRANGEBYSCORE', AWAITED, now(), '+inf')}
