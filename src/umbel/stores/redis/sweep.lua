-- Throws away dead letters, the oldest first, as many as one script may. Keys: dead, dead.count.
-- ARGV: most seconds
-- Either may be ''.  Gives how many.
insist()
local spare = most == '' and 0 or redis.call('XLEN', DEAD) - tonumber(most)
local oldest = seconds == '' and 0 or now() - tonumber(seconds)
local count = 0
while may_go_on() do
  local letter = redis.call('XRANGE', DEAD, '-', '+', 'COUNT', 1)[1]
  if not letter then break end
  if count >= spare and tonumber(string.match(letter[1], '^%d+')) / 1000 >= oldest then break end
  for i = 1, #letter[2], 2 do
    if letter[2][i] == 'queue' then unbury(letter[1], letter[2][i + 1]) end
  end
  count, left.count, left.bytes = count + 1, left.count - 1, left.bytes - #letter[2][2]
end
return count
