-- Notes that these run with early acknowledgement. Keys: held, begun.
-- ARGV: owner fields...
-- Gives the places of those not held.
insist()
local lost = {}
for i = LISTS, #ARGV do
  if redis.call('HEXISTS', held(owner), ARGV[i]) == 1 then
    redis.call('SADD', begun(owner), ARGV[i])
  else
    lost[#lost + 1] = i - LISTS
  end
end
return lost
