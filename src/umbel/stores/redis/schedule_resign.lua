-- Lets others lead. Keys: leader.  owner
if redis.call('GET', LEADER) == ARGV[1] then redis.call('DEL', LEADER) end
return 1
