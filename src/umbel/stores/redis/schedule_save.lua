-- Writes definitions. Keys: all of schedule.lua but leader.
-- ARGV: forgotten_after entries...
-- Entries: a name and a definition each.
local time = now()
local version = latest(time)
for i = LISTS, #ARGV, 2 do
  local name, definition = ARGV[i], ARGV[i + 1]
  local old = redis.call('HGET', ENTRIES, name)
  if old ~= definition then
    version = version + 1
    redis.call('HSET', ENTRIES, name, definition)
    redis.call('ZADD', VERSIONS, text(version), name)
    if not old then
      set_state(name, 1, string.format('%.6f', time), '-', 0)
      redis.call('ZREM', GONE, name)
    end
  end
end
changed(version, time, tonumber(forgotten_after))
for _, key in ipairs(SIDES) do redis.call('PERSIST', key) end
return 1
