-- Keeps messages until they are due. Keys: later, soonest, queues and the lists of keys.lua.
-- (queue step due order element)...
local time = now()
for i = 1, #ARGV, 5 do put(ARGV[i], ARGV[i + 1], ARGV[i + 4], ARGV[i + 2], ARGV[i + 3], time) end
return #ARGV / 5
