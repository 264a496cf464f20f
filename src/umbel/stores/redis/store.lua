-- Writes results. Keys: those of keep.lua.  life (id state document is_clear)...
insist()
for i = 2, #ARGV, 4 do keep(ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[1]) end
return (#ARGV - 1) / 4
