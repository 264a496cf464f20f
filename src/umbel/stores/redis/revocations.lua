-- Gives revocations made behind a mark, those made first. Keys: revoked, revoked.until, revoked.signal, revoked.mark, read only.
-- ARGV: after limit
-- Gives {the mark to ask from next, 1 if there are more, how many are kept at all, {id, signal...}}
after = tonumber(after)
local time = now()
local mark = redis.call('GET', REVOKED_MARK)
if not mark then return {'0', 0, 0, {}} end
if tonumber(mark) < after then after = 0 end
local page = redis.call('ZRANGEBYSCORE', REVOKED, '(' .. string.format('%.0f', after), '+inf', 'WITHSCORES', 'LIMIT', 0, limit)
local found, more = {}, #page == 2 * tonumber(limit)
for i = 1, #page, 2 do
  if tonumber(redis.call('ZSCORE', REVOKED_UNTIL, page[i]) or 0) > time then
    found[#found + 1] = page[i]
    found[#found + 1] = redis.call('HGET', REVOKED_SIGNAL, page[i]) or ''
  end
end
if more then mark = string.format('%.0f', tonumber(page[#page])) end
return {mark, more and 1 or 0, redis.call('ZCARD', REVOKED), found}
