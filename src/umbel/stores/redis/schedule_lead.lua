-- Makes one the leader unless another leads. Keys: leader.
-- ARGV: owner life
-- Gives 1 if it leads.
insist()
life = tonumber(life)
local leader = redis.call('GET', LEADER)
if leader and leader ~= owner and redis.call('PTTL', LEADER) <= 2 * life then return 0 end
redis.call('SET', LEADER, owner, 'PX', life)
return 1
