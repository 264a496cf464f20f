-- Ends deliveries: drops or buries them, sends what follows, writes results. Keys: held, begun, the dead, revoked…, and put's of
-- keys.lua; those of keep.lua in the results' database.
-- owner life (count, (field id)... of revocations that are met) (count, field... of those that end without anything more)
-- (field, '-' or '+reason', results, envelopes, (id state document is_clear)..., (queue step due order element)...)...
-- Gives the places of those not held, for which nothing is done.
--
-- What the server may refuse comes first: another program's key under the name of a queue or a result, or one that this user must
-- not touch. A script that fails has then sent nothing and dropped nothing, and the results that it wrote may be written again.
insist()
local time, owner, life, mine, early = now(), ARGV[1], ARGV[2], held(ARGV[1]), begun(ARGV[1])
local any_begun = redis.call('EXISTS', early) == 1
local at, lost, met, rest, seen, checked = 4 + 2 * tonumber(ARGV[3]), {}, {}, {}, {}, {}
for i = 4, at - 1, 2 do met[ARGV[i]] = ARGV[i + 1] end

local function drop(field)
  if redis.call('HDEL', mine, field) == 0 then return false end
  if any_begun then redis.call('SREM', early, field) end
  if met[field] then end_revocation(met[field]) end
  return true
end

local function check(key)
  if not checked[key] then checked[key] = redis.call('LLEN', key) end
end

-- First what has most to be told, then what leaves a result at most, then what leaves nothing.
local plain = tonumber(ARGV[at])
local first = at + 1
local place_of, told, ends = plain, {}, {}
at = first + plain
while ARGV[at] do
  local field, fate = ARGV[at], ARGV[at + 1]
  local envelopes = at + 4 + 4 * tonumber(ARGV[at + 2])
  local behind = envelopes + 5 * tonumber(ARGV[at + 3])
  if seen[field] or redis.call('HEXISTS', mine, field) == 0 then
    lost[#lost + 1] = place_of
  else
    seen[field] = true
    for i = at + 4, envelopes - 1, 4 do told[#told + 1] = i end
    if behind == envelopes and fate == '-' then
      ends[#ends + 1], ends[#ends + 2] = field, place_of
    else
      rest[#rest + 1] = {field = field, fate = fate, envelopes = envelopes, behind = behind}
      for i = envelopes, behind - 1, 5 do check(list(ARGV[i], ARGV[i + 1])) end
    end
  end
  at, place_of = behind, place_of + 1
end

if #told > 0 then
  if DB ~= RESULT_DB then redis.call('SELECT', RESULT_DB) end
  for _, i in ipairs(told) do keep(ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], life) end
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
for i = 1, #ends, 2 do
  if not drop(ends[i]) then lost[#lost + 1] = ends[i + 1] end
end
for i = 0, plain - 1 do
  if not drop(ARGV[first + i]) then lost[#lost + 1] = i end
end
return lost
