-- How much of each queue some owners hold. Keys: held.
-- ARGV: owners...
-- Gives (queue count)...
local counts, reply = {}, {}
count_held(ARGV, counts)
for queue, count in pairs(counts) do reply[#reply + 1], reply[#reply + 2] = queue, count end
return reply
