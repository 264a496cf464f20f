-- Notes arrivals for a broker that keeps its messages elsewhere. Keys: those of joins.lua.  life (an arrival of joins.lua)...
-- Gives the places of those whose `then` is to be sent, and the milliseconds until then: (place delay)...
insist()
local places, told = {}, {}
for i = 2, #ARGV, 8 do places[#places + 1] = i end
for _, each in ipairs(note_arrivals(places, ARGV[1], true)) do
  told[#told + 1] = each[1] - 1
  told[#told + 1] = each[2]
end
return told
