-- Lets entries fire, or not. Keys: all of schedule.lua but leader.  forgotten_after enabled name...  Gives how many were changed.
insist()
local time, enabled, count = now(), ARGV[2], 0
local version = latest(time)
for i = 3, #ARGV do
  local was, since, fired, ticks = state(ARGV[i])
  if was and was ~= enabled then
    version, count = version + 1, count + 1
    if enabled == '1' then since = string.format('%.6f', time) end
    set_state(ARGV[i], enabled, since, fired, ticks)
    redis.call('ZADD', VERSIONS, text(version), ARGV[i])
  end
end
changed(version, time, tonumber(ARGV[1]))
return count
