-- Who leads, and until when. Keys: leader.  Gives nothing if nobody does.
local leader = redis.call('GET', LEADER)
return leader and {leader, string.format('%.6f', now() + redis.call('PTTL', LEADER) / 1000)}
