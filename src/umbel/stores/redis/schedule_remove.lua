-- Forgets entries. Keys: all of schedule.lua but leader.
-- ARGV: forgotten_after names...
-- Gives how many there were.
insist()
local time, count = now(), 0
local version = latest(time)
for i = LISTS, #ARGV do
  if redis.call('HDEL', ENTRIES, ARGV[i]) == 1 then
    version, count = version + 1, count + 1
    redis.call('HDEL', STATE, ARGV[i])
    redis.call('ZADD', VERSIONS, text(version), ARGV[i])
    redis.call('ZADD', GONE, time, ARGV[i])
  end
end
changed(version, time, tonumber(forgotten_after))
if redis.call('EXISTS', ENTRIES) == 0 then
  for _, key in ipairs(SIDES) do redis.call('EXPIRE', key, forgotten_after) end
end
return count
