-- Keeps messages until they are due. Keys: later, soonest, queues and the lists of keys.lua.
-- ARGV: messages...
-- Messages as keys.lua has them.
local time = now()
for i = LISTS, #ARGV, MESSAGE do put(time, unpack(ARGV, i, i + MESSAGE - 1)) end
return #ARGV / MESSAGE
