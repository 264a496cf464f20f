-- Puts in line what will be due within some seconds. Keys: the lists, later, soonest.  queue until
-- `until` is a time of the server's, or '+' and so many seconds from now. Gives {how many it was, that time}: if it was any, there may
-- be more.
insist()
local time, seconds = now(), string.match(ARGV[2], '^+(.*)')
local till = seconds and string.format('%.6f', time + tonumber(seconds)) or ARGV[2]
return {wake(ARGV[1], till, time), till}
