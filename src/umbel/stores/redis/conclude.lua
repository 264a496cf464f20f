-- Ends deliveries: drops or buries them, sends what follows, writes results. Keys: held, begun, the dead, revoked…, and put's of
-- keys.lua; those of keep.lua in the results' database.
-- owner life count (field id of a revocation that is met)...
-- (field, '-' or '+reason', results, envelopes, (id state document is_clear)..., (queue step due order element)...)...
-- Gives the places of those not held, for which nothing is done.
--
-- What the server may refuse comes first: another program's key under the name of a queue or a result, or one that this user must
-- not touch. A script that fails has then sent nothing and dropped nothing, and the results that it wrote may be written again.
insist()
local time, owner, life, mine = now(), ARGV[1], ARGV[2], held(ARGV[1])
local any_begun = redis.call('EXISTS', begun(owner)) == 1
local at, n, lost, met, rest, seen, checked = 4 + 2 * tonumber(ARGV[3]), 0, {}, {}, {}, {}, {}
for i = 4, at - 1, 2 do met[ARGV[i]] = ARGV[i + 1] end

local function check(key)
  if not checked[key] then checked[key] = redis.call('LLEN', key) end
end

local function drop(field)
  if redis.call('HDEL', mine, field) == 0 then return false end
  if any_begun then redis.call('SREM', begun(owner), field) end
  if met[field] then end_revocation(met[field]) end
  return true
end

local has_results = false
while ARGV[at] do
  local field, fate, results = ARGV[at], ARGV[at + 1], at + 4
  local envelopes = results + 4 * tonumber(ARGV[at + 2])
  local behind = envelopes + 5 * tonumber(ARGV[at + 3])
  if behind == results and fate == '-' then
    if not drop(field) then lost[#lost + 1] = n end
  elseif not seen[field] and redis.call('HEXISTS', mine, field) == 1 then
    seen[field] = true
    rest[#rest + 1] = {field = field, fate = fate, results = results, envelopes = envelopes, behind = behind}
    has_results = has_results or envelopes > results
    for i = envelopes, behind - 1, 5 do check(list(ARGV[i], ARGV[i + 1])) end
  else
    lost[#lost + 1] = n
  end
  at, n = behind, n + 1
end

if has_results then
  if DB ~= RESULT_DB then redis.call('SELECT', RESULT_DB) end
  for _, each in ipairs(rest) do
    for i = each.results, each.envelopes - 1, 4 do keep(ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], life) end
  end
  if DB ~= RESULT_DB then redis.call('SELECT', DB) end
end

for _, each in ipairs(rest) do
  if each.fate ~= '-' then
    local step, queue = place(each.field)
    local element = redis.call('HGET', mine, each.field)
    bury(queue, step, element, string.sub(each.fate, 2), past(element) + 1, time)
  end
  for i = each.envelopes, each.behind - 1, 5 do put(ARGV[i], ARGV[i + 1], ARGV[i + 4], ARGV[i + 2], ARGV[i + 3], time) end
  drop(each.field)
end
return lost
