-- Notes what became of ticks. Keys: state.  astray (name fired count)...
insist()
local astray = now() + tonumber(ARGV[1])
for i = 2, #ARGV, 3 do
  local enabled, since, fired, count = state(ARGV[i])
  if enabled then
    local last = tonumber(fired)
    if not last or last > astray or tonumber(ARGV[i + 1]) > last then fired = ARGV[i + 1] end
    set_state(ARGV[i], enabled, since, fired, count + ARGV[i + 2])
  end
end
return 1
