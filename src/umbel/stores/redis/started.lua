-- Notes that these run with early acknowledgement. Keys: held, begun.  owner field...  Gives the places of those not held.
insist()
local owner, lost = ARGV[1], {}
for i = 2, #ARGV do
  if redis.call('HEXISTS', held(owner), ARGV[i]) == 1 then
    redis.call('SADD', begun(owner), ARGV[i])
  else
    lost[#lost + 1] = i - 2
  end
end
return lost
