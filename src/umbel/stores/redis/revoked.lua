-- Tells which of these tasks are revoked. Keys: revoked.until, read only.
-- ARGV: ids...
-- Gives their places.
local time, found = now(), {}
for place, id in ipairs(ARGV) do
  if tonumber(redis.call('ZSCORE', REVOKED_UNTIL, id) or 0) > time then found[#found + 1] = place - 1 end
end
return found
