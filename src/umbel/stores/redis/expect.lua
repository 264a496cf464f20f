-- Notes how many parts a chord has. Keys: those of joins.lua.
-- ARGV: chord size life
insist()
local it = open_chord(chord)
if it.is_done then return end
redis.call('SET', it.base .. '.s', size)
it.size = tonumber(size)
touch(it, life)
