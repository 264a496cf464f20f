-- Puts in line what will be due within some seconds. Keys: the lists, later, soonest.
-- ARGV: queue till
-- `till` is a time of the server's, or '+' and so many seconds from now. Gives {how many it was, that time}: if it was any, there may
-- be more.
insist()
local time, seconds = now(), string.match(till, '^+(.*)')
if seconds then till = string.format('%.6f', time + tonumber(seconds)) end
return {wake(queue, till, time), till}
