-- Books the message that a wait has moved into the intake. Keys: owners, held, unheard, intake, the plain list, revoked.mark.
-- ARGV: owner field queue
-- Gives {field, element, revoked.mark or false, the time, how many more there are in the plain list}, or false if there is none or
-- the owner has lost its lease.
local source = intake(owner, queue)
if redis.call('LLEN', source) == 0 then return false end
insist()
if is_void(owner, string.match(field, '^%d+')) or not redis.call('ZSCORE', OWNERS, owner) then return false end
local element = redis.call('RPOP', source)
redis.call('HSET', held(owner), field, element)
return {field, element, redis.call('GET', REVOKED_MARK), string.format('%.6f', now()), redis.call('LLEN', list(queue, '0'))}
