-- A full server (maxmemory) refuses commands that need memory, unless the script has written before: then it may go on.
local function insist() redis.call('DEL', P .. 'umbel.none') end
