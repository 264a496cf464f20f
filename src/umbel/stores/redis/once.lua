-- Sends messages whose number is beyond the last of their stream. Keys: once and those of put in keys.lua, the bindings.
-- remembered astray (stream number queue step due order element)...  Gives 1 or 0 for each.
local time, remembered, astray, reply, bound = now(), tonumber(ARGV[1]), tonumber(ARGV[2]), {}, {}
for i = 3, #ARGV, 7 do
  local key, number, queue = once(ARGV[i]), tonumber(ARGV[i + 1]), ARGV[i + 2]
  local last = tonumber(redis.call('GET', key) or '-inf')
  local is_next = number > last or last > time + astray
  if is_next then
    put(queue, ARGV[i + 3], ARGV[i + 6], ARGV[i + 4], ARGV[i + 5], time)
    if not bound[queue] then
      declare(queue, time)
      bound[queue] = true
    end
    -- Behind `put`: should that fail, the message is not taken for sent.
    local life = math.min(math.max(number - time, 0) + remembered, 1000000000)
    redis.call('SET', key, ARGV[i + 1], 'PX', string.format('%d', life * 1000))
  end
  reply[#reply + 1] = is_next and 1 or 0
end
return reply
