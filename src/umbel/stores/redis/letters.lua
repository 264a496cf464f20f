-- Reads dead letters from a key on, up to `limit` of them, and no more than go into one reply. Keys: dead, read only.
-- start limit  Gives what XRANGE gives.
local MOST_BYTES = 16777216
local start, bytes, found = ARGV[1], 0, {}
while #found < tonumber(ARGV[2]) and bytes < MOST_BYTES do
  local letter = redis.call('XRANGE', DEAD, start, '+', 'COUNT', 1)[1]
  if not letter then break end
  found[#found + 1], start, bytes = letter, '(' .. letter[1], bytes + #letter[2][2]
end
return found
