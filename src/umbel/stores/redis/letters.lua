-- Reads dead letters from a key on, up to `limit` of them, and no more than go into one reply. Keys: dead, read only.
-- ARGV: start limit
-- Gives what XRANGE gives.
local MOST_BYTES = 16777216
local bytes, found = 0, {}
while #found < tonumber(limit) and bytes < MOST_BYTES do
  local letter = redis.call('XRANGE', DEAD, start, '+', 'COUNT', 1)[1]
  if not letter then break end
  found[#found + 1], start, bytes = letter, '(' .. letter[1], bytes + #letter[2][2]
end
return found
