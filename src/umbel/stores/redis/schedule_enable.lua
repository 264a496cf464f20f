-- Lets entries fire, or not. Keys: all of schedule.lua but leader.
-- ARGV: forgotten_after enabled names...
-- Gives how many were changed.
insist()
local time, count = now(), 0
local version = latest(time)
for i = LISTS, #ARGV do
  local was, since, fired, ticks = state(ARGV[i])
  if was and was ~= enabled then
    version, count = version + 1, count + 1
    if enabled == '1' then since = string.format('%.6f', time) end
    set_state(ARGV[i], enabled, since, fired, ticks)
    redis.call('ZADD', VERSIONS, text(version), ARGV[i])
  end
end
changed(version, time, tonumber(forgotten_after))
return count
