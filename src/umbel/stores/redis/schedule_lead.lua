-- Makes one the leader unless another leads. Keys: leader.  owner milliseconds  Gives 1 if it leads.
insist()
local leader, life = redis.call('GET', LEADER), tonumber(ARGV[2])
if leader and leader ~= ARGV[1] and redis.call('PTTL', LEADER) <= 2 * life then return 0 end
redis.call('SET', LEADER, ARGV[1], 'PX', life)
return 1
