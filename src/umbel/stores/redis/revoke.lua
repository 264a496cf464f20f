-- Keeps revocations. Keys: revoked, revoked.until, revoked.signal, revoked.mark.
-- ARGV: seconds revocations...
-- Revocations: an id and a signal each.
insist()
seconds = math.max(math.min(tonumber(seconds), 1000000000), 0)
local time = now()
sweep_revoked(time)
local mark = math.max(tonumber(redis.call('GET', REVOKED_MARK) or 0), math.floor(time * 1000000))
for i = LISTS, #ARGV, 2 do
  mark = mark + 1
  redis.call('ZADD', REVOKED, string.format('%.0f', mark), ARGV[i])
  redis.call('ZADD', REVOKED_UNTIL, 'GT', time + seconds, ARGV[i])
  if ARGV[i + 1] ~= '' then redis.call('HSET', REVOKED_SIGNAL, ARGV[i], ARGV[i + 1]) end
end
-- None of the keys outlives the last revocation, though nobody may ever look again.
local life = string.format('%.0f', math.max(redis.call('PTTL', REVOKED_MARK), seconds * 1000) + 1000)
redis.call('SET', REVOKED_MARK, string.format('%.0f', mark))
for _, key in ipairs({REVOKED, REVOKED_UNTIL, REVOKED_SIGNAL, REVOKED_MARK}) do redis.call('PEXPIRE', key, life) end
return 1
