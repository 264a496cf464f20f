-- Notes how many parts a chord has. Keys: those of joins.lua.  chord size life
insist()
local it = open_chord(ARGV[1])
if it.is_done then return end
redis.call('SET', it.base .. '.s', ARGV[2])
it.size = tonumber(ARGV[2])
touch(it, ARGV[3])
