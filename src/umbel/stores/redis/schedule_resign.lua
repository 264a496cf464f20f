-- Lets others lead. Keys: leader.
-- ARGV: owner
if redis.call('GET', LEADER) == owner then redis.call('DEL', LEADER) end
return 1
