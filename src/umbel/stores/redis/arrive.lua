-- Counts the parts of a chord. Key, R is the prefix: Rumbel-chord-<id>, a hash of index -> result, or only `done` at the end.
-- chord size life (index result)...  Gives all of it to who completes it.
local key, size, life = R .. 'umbel-chord-' .. ARGV[1], tonumber(ARGV[2]), ARGV[3]
if redis.call('HEXISTS', key, 'done') == 1 then return false end
for i = 4, #ARGV, 2 do redis.call('HSETNX', key, ARGV[i], ARGV[i + 1]) end
local whole = #ARGV > 3 and redis.call('HLEN', key) >= size and redis.call('HGETALL', key)
if whole then
  redis.call('DEL', key)
  redis.call('HSET', key, 'done', '1')
end
if life ~= '' then redis.call('PEXPIRE', key, life) end
return whole
