-- Notes what became of ticks. Keys: state.
-- ARGV: astray ticks...
-- Ticks: a name, when it fired, and a count each.
insist()
astray = now() + tonumber(astray)
for i = LISTS, #ARGV, 3 do
  local enabled, since, fired, count = state(ARGV[i])
  if enabled then
    local last = tonumber(fired)
    if not last or last > astray or tonumber(ARGV[i + 1]) > last then fired = ARGV[i + 1] end
    set_state(ARGV[i], enabled, since, fired, count + ARGV[i + 2])
  end
end
return 1
