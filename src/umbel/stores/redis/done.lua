-- Ends the record of a chord, and remembers that for a while. Keys: those of joins.lua.
-- ARGV: chord life
insist()
local base = R .. 'celery-taskset-meta-' .. chord
redis.call('DEL', growth(chord), base .. '.j', base .. '.d', base .. '.s', base .. '.t')
redis.call('SET', base .. '.c', 'done', 'PX', life)
