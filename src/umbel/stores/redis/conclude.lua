-- Ends deliveries: drops or buries them, sends what follows, writes results. Keys: held, begun, the dead, revoked…, and put's of
-- keys.lua; those of keep.lua in the results' database.
-- owner life count (field id of a revocation that is met)...
-- (field, '-' or '+reason', results, envelopes, (id state document is_clear)..., (queue step due order element)...)...
-- Gives the places of those not held, for which nothing is done.
insist()
local time, owner, life = now(), ARGV[1], ARGV[2]
local any_begun = redis.call('EXISTS', begun(owner)) == 1
local at, n, lost, told, met = 4 + 2 * tonumber(ARGV[3]), 0, {}, {}, {}
for i = 4, at - 1, 2 do met[ARGV[i]] = ARGV[i + 1] end

while ARGV[at] do
  local field, fate = ARGV[at], ARGV[at + 1]
  local results = at + 4
  local envelopes = results + 4 * tonumber(ARGV[at + 2])
  local behind = envelopes + 5 * tonumber(ARGV[at + 3])
  local element = fate ~= '-' and redis.call('HGET', held(owner), field)
  if redis.call('HDEL', held(owner), field) == 1 then
    if any_begun then redis.call('SREM', begun(owner), field) end
    if met[field] then end_revocation(met[field]) end
    if element then
      local step, queue = place(field)
      bury(queue, step, element, string.sub(fate, 2), past(element) + 1, time)
    end
    for i = envelopes, behind - 1, 5 do
      put(ARGV[i], ARGV[i + 1], ARGV[i + 4], ARGV[i + 2], ARGV[i + 3], time)
    end
    for i = results, envelopes - 1, 4 do told[#told + 1] = i end
  else
    lost[#lost + 1] = n
  end
  at, n = behind, n + 1
end

if #told > 0 then
  if DB ~= RESULT_DB then redis.call('SELECT', RESULT_DB) end
  for _, i in ipairs(told) do keep(ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], life) end
  if DB ~= RESULT_DB then redis.call('SELECT', DB) end
end
return lost
