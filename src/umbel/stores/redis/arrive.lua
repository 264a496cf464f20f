-- Notes arrivals for a broker that keeps its messages elsewhere. Keys: those of joins.lua.
-- ARGV: life arrivals...
-- Arrivals as joins.lua has them.
-- Gives the places of those whose `then` is to be sent, and the milliseconds until then: (place delay)...
insist()
local places, told = {}, {}
for i = LISTS, #ARGV, ARRIVAL do places[#places + 1] = i end
for _, each in ipairs(note_arrivals(places, life, true)) do
  told[#told + 1] = each[1] - 1
  told[#told + 1] = each[2]
end
return told
