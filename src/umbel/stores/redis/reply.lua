-- Puts answers into the box of this address, if anybody has one.  Gives how many boxes.
-- Keys: kombu's binding of the exchange, read only; the list of each box, which ends by itself if nobody reads it, after `life` milliseconds.
-- ARGV: exchange address life elements...
local key = P .. '_kombu.binding.' .. exchange
local usual = address .. '.' .. exchange
local boxes = {}
if redis.call('SISMEMBER', key, address .. SEP .. SEP .. usual) == 1 then
  boxes[1] = usual
else
  for _, member in ipairs(redis.call('SMEMBERS', key)) do
    local first, last = string.find(member, SEP, 1, true)
    if first and string.sub(member, 1, first - 1) == address then
      local _, stop = string.find(member, SEP, last + 1, true)
      local queue = stop and string.sub(member, stop + 1)
      if queue and string.sub(queue, -7) == '.pidbox' then boxes[#boxes + 1] = queue end -- and no queue of tasks, whatever is asked
    end
  end
end
for _, box in ipairs(boxes) do
  for place = LISTS, #ARGV do redis.call('LPUSH', P .. box, ARGV[place]) end
  redis.call('PEXPIRE', P .. box, life)
end
return #boxes
