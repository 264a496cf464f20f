-- How far a chord is. Keys: those of joins.lua.  chord
-- Gives size and parts; nothing if nobody knows it, it is done, or a worker of Celery's is just firing it.
local it = open_chord(ARGV[1])
if it.is_done or (it.claim and not it.is_ours) then return false end
local size = it.size and it.size + it.grown
if it.count == 0 and not size and it.grown == 0 then return false end
return {size or false, it.is_list and redis.call('LRANGE', it.jar, 0, -1) or redis.call('ZRANGE', it.jar, 0, -1)}
