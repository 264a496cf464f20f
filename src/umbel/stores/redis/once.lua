-- Sends messages whose number is beyond the last of their stream. Keys: once, once.ends and those of put in keys.lua, the bindings.
-- remembered astray (stream number queue step due order element)...  Gives 1 or 0 for each.
local AT_ONCE = 100
local time, remembered, astray, reply = now(), tonumber(ARGV[1]), tonumber(ARGV[2]), {}
for i = 3, #ARGV, 7 do
  local stream, number, queue = ARGV[i], tonumber(ARGV[i + 1]), ARGV[i + 2]
  local last = tonumber(redis.call('HGET', ONCE, stream) or '-inf')
  local is_next = number > last or last > time + astray
  if is_next then
    put(queue, ARGV[i + 3], ARGV[i + 6], ARGV[i + 4], ARGV[i + 5], time)
    redis.call('SADD', P .. '_kombu.binding.' .. queue, queue .. SEP .. SEP .. queue)
    -- Behind `put`: should that fail, the message is not taken for sent.
    redis.call('HSET', ONCE, stream, ARGV[i + 1])
    redis.call('ZADD', ONCE_ENDS, string.format('%.6f', math.max(number, time) + remembered), stream)
  end
  reply[#reply + 1] = is_next and 1 or 0
end
for _, stream in ipairs(redis.call('ZRANGEBYSCORE', ONCE_ENDS, '-inf', time, 'LIMIT', 0, AT_ONCE)) do
  redis.call('HDEL', ONCE, stream)
  redis.call('ZREM', ONCE_ENDS, stream)
end
return reply
