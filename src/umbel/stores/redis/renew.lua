-- Keeps the owner's lease. Keys: owners, held, unheard, the lists.  owner seconds known unheard
-- Gives {0 if it had been lost, the time}
insist()
local time, owner = now(), ARGV[1]
local lost = register(owner, tonumber(ARGV[2]), ARGV[3], time)
take_back(owner, ARGV[4])
redis.call('ZADD', OWNERS, time + tonumber(ARGV[2]), owner)
return {lost and 0 or 1, string.format('%.6f', time)}
