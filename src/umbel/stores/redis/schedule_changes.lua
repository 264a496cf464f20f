-- A page of what was changed behind a version. Keys: all of schedule.lua but leader, read only.
-- ARGV: after limit is_more
-- Gives {latest version, 1 if it begins with the whole schedule, last version of the page,
-- {name, definition or false if it is gone, state}...}
after, limit = tonumber(after), tonumber(limit)
local known = redis.call('HMGET', VERSION, 'latest', 'forgotten')
local version, forgotten = tonumber(known[1] or 0), tonumber(known[2] or 0)
local whole = after > version or is_more == '0' and (after == 0 or after < forgotten)
if whole then after = 0 end
local reply = {version, whole and 1 or 0, version}
if after == version then return reply end

local names = redis.call('ZRANGEBYSCORE', VERSIONS, '(' .. text(after), '+inf', 'LIMIT', 0, limit)
for start = 1, #names, AT_ONCE do
  local some = {unpack(names, start, math.min(start + AT_ONCE - 1, #names))}
  local definitions = redis.call('HMGET', ENTRIES, unpack(some))
  local states = redis.call('HMGET', STATE, unpack(some))
  for i, name in ipairs(some) do reply[#reply + 1] = {name, definitions[i], states[i]} end
end
if #names == limit then reply[3] = tonumber(redis.call('ZSCORE', VERSIONS, names[limit])) end
return reply
