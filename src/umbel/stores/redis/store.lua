-- Writes results. Keys: those of keep.lua.
-- ARGV: life results...
-- Results as keep.lua has them.
insist()
for i = LISTS, #ARGV, RESULT do keep(life, unpack(ARGV, i, i + RESULT - 1)) end
return (#ARGV - LISTS + 1) / RESULT
