-- How far a chord is. Keys: those of joins.lua.
-- ARGV: chord
-- Gives size, parts, and whether some were lost; nothing if nobody knows it, it is done, or a worker of Celery's is just firing it.
local it = open_chord(chord)
if it.is_done or (it.claim and not it.is_ours) then return false end
local size = it.size and it.size + it.grown
if it.count == 0 and not size and it.grown == 0 and not it.is_damaged then return false end
local found = it.is_list and redis.call('LRANGE', it.jar, 0, -1) or redis.call('ZRANGE', it.jar, 0, -1)
return {size or false, found, it.is_damaged and 1 or 0}
