-- Sends messages whose number is beyond the last of their stream. Keys: once and those of put in keys.lua, the bindings.
-- ARGV: remembered astray messages...
-- Each message, as keys.lua has it, behind its stream and number.  Gives 1 or 0 for each.
local time, reply, bound = now(), {}, {}
for i = LISTS, #ARGV, 2 + MESSAGE do
  local key, number, queue = once(ARGV[i]), tonumber(ARGV[i + 1]), ARGV[i + 2]
  local last = tonumber(redis.call('GET', key) or '-inf')
  local is_next = number > last or last > time + tonumber(astray)
  if is_next then
    put(time, unpack(ARGV, i + 2, i + 1 + MESSAGE))
    if not bound[queue] then
      declare(queue, time)
      bound[queue] = true
    end
    -- Behind `put`: should that fail, the message is not taken for sent.
    local life = math.min(math.max(number - time, 0) + tonumber(remembered), 1000000000)
    redis.call('SET', key, ARGV[i + 1], 'PX', string.format('%d', life * 1000))
  end
  reply[#reply + 1] = is_next and 1 or 0
end
return reply
