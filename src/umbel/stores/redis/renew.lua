-- Keeps the owner's lease. Keys: owners, held, unheard, the lists.
-- ARGV: owner seconds known missed
-- Gives {0 if it had been lost, the time}
insist()
local time = now()
local lost = register(owner, tonumber(seconds), known, time)
take_back(owner, missed)
redis.call('ZADD', OWNERS, time + tonumber(seconds), owner)
return {lost and 0 or 1, string.format('%.6f', time)}
