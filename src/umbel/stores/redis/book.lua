-- Books the message that a wait has moved into the intake. Keys: owners, held, unheard, intake, the plain list, revoked.mark.
-- ARGV: owner field queue
-- Gives {field, element, revoked.mark or false, {seconds, microseconds}, how many more there are in the plain list}, or false if
-- there is none or the owner has lost its lease.
local source = intake(owner, queue)
local element = redis.call('RPOP', source) -- a full server allows it, and what is written after it
if not element then return false end
if is_void(owner, string.match(field, '^%d+')) or not redis.call('ZSCORE', OWNERS, owner) then
  redis.call('RPUSH', source, element)
  return false
end
redis.call('HSET', held(owner), field, element)
return {field, element, redis.call('GET', REVOKED_MARK), redis.call('TIME'), redis.call('LLEN', list(queue, '0'))}
