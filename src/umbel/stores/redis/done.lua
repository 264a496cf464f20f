-- Ends the record of a chord, and remembers that for a while. Keys: those of joins.lua.  chord life
insist()
local base = R .. 'celery-taskset-meta-' .. ARGV[1]
redis.call('DEL', growth(ARGV[1]), base .. '.j', base .. '.d', base .. '.s', base .. '.t')
redis.call('SET', base .. '.c', 'done', 'PX', ARGV[2])
