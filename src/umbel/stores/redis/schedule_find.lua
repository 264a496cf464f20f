-- The entries of these names. Keys: entries, state, read only.
-- ARGV: names...
-- Gives {name, definition, state}...
local reply = {}
for _, name in ipairs(ARGV) do
  local definition = redis.call('HGET', ENTRIES, name)
  if definition then reply[#reply + 1] = {name, definition, redis.call('HGET', STATE, name)} end
end
return reply
