-- Notes that somebody waits to be called to these queues, and makes the owner a lookout if there are too few of them.
-- Keys: awaited, lookouts.
-- ARGV: owner life queues...
-- Life: milliseconds for which a lookout is one.
-- Gives which lookout the owner is, 0 if none.
insist()
local time = now()
redis.call('ZREMRANGEBYSCORE', AWAITED, '-inf', time)
for i = LISTS, #ARGV do
  local known = tonumber(redis.call('ZSCORE', AWAITED, ARGV[i]) or 0)
  if known < time + AWAIT / 2 or known > time + AWAIT then redis.call('ZADD', AWAITED, time + AWAIT, ARGV[i]) end
end
redis.call('EXPIRE', AWAITED, AWAIT)
for number = 1, 2 do
  if redis.call('GET', lookout(number)) == owner then return number end
end
for number = 1, 2 do
  if redis.call('SET', lookout(number), owner, 'NX', 'PX', life) then return number end
end
return 0
