-- Ends deliveries: drops or buries them, sends what follows, writes results. Keys: held, begun, unheard, the dead, revoked…, and put's of
-- keys.lua; those of keep.lua in the results' database.
-- ARGV: owner life handout queues... met... plain... kept... others...
-- Met: field and id of revocations that are met. Plain: fields of those that end without anything more. Kept: field, id and document of
-- those that leave a success, told in the clear, and nothing more. Others, up to the end, in rows of their own length:
--   field, '-' or '+reason', results, envelopes, then so many results as keep.lua has them and messages as keys.lua has them
-- If any of these arrive at chords (JOINS), before them stands a further list, messages that follow the chords; and in each a further
-- count behind that of the envelopes, and its arrivals, as joins.lua has them, at its end.
-- Gives the places of those not held, for which nothing is done; with a handout, instead of them
-- {these places, revoked.mark or false, the time, {the place in ARGV of each message that is now held}}.
--
-- With a handout the owner serves those queues, and if nothing is ready in any of them, what follows here and goes there is booked
-- to it instead, for each conclusion that has any one at most, the most urgent first: as if it had been reserved just behind.
--
-- What the server may refuse comes first: another program's key under the name of a queue or a result, or one that this user must
-- not touch. A script that fails has then sent nothing and dropped nothing, and the results that it wrote may be written again.
insist()
local time, mine, early = now(), held(owner), begun(owner)
local any_begun, at_once = redis.call('EXISTS', early) == 1, 1000
local lost, met, rest, seen, checked = {}, {}, {}, {}, {}

-- Where the next list begins and ends, in rows of so many arguments; and `at` is behind it.
local at = LISTS
local function next_list(row)
  local first = at + 1
  at = first + row * tonumber(ARGV[at])
  return first, at - 1
end
local first_queue, last_queue = next_list(1)
local first_met, last_met = next_list(2)
local first_plain, last_plain = next_list(1)
local first_kept, last_kept = next_list(3)
for i = first_met, last_met, 2 do met[ARGV[i]] = ARGV[i + 1] end

local function drop(field)
  if redis.call('HDEL', mine, field) == 0 then return false end
  if any_begun then redis.call('SREM', early, field) end
  if met[field] then end_revocation(met[field]) end
  return true
end

local function check(key)
  if not checked[key] then checked[key] = redis.call('LLEN', key) end
end

local function is_mine(field)
  if seen[field] or redis.call('HEXISTS', mine, field) == 0 then return false end
  seen[field] = true
  return true
end

-- First what has most to be told, then what leaves a result at most, then what leaves nothing.
local place_of, told, kept, ends, places = last_plain - first_plain + 1, {}, {}, {}, 0
for i = first_kept, last_kept, 3 do
  if is_mine(ARGV[i]) then
    kept[#kept + 1], ends[#ends + 1] = i, ARGV[i]
  else
    lost[#lost + 1] = place_of
  end
  place_of = place_of + 1
end
local joins, head, arrived = JOINS == '1', 4, {}
local follows = joins and next_list(MESSAGE)
if joins then head = 5 end
while ARGV[at] do
  local field, fate = ARGV[at], ARGV[at + 1]
  local envelopes = at + head + RESULT * tonumber(ARGV[at + 2])
  local arrivals = envelopes + MESSAGE * tonumber(ARGV[at + 3])
  local behind = joins and arrivals + ARRIVAL * tonumber(ARGV[at + 4]) or arrivals
  if not is_mine(field) then
    lost[#lost + 1] = place_of
  else
    if behind > envelopes then places = places + 1 end
    for i = at + head, envelopes - 1, RESULT do told[#told + 1] = i end
    for i = arrivals, behind - 1, joins and ARRIVAL or 1 do
      arrived[#arrived + 1] = i
      local it = follows + MESSAGE * (tonumber(ARGV[i + ARRIVAL - 1]) - 1)
      if it >= follows then check(list(ARGV[it], ARGV[it + 1])) end
    end
    if arrivals == envelopes and fate == '-' then
      ends[#ends + 1] = field
    else
      rest[#rest + 1] = {field = field, fate = fate, envelopes = envelopes, behind = arrivals}
      for i = envelopes, arrivals - 1, MESSAGE do check(list(ARGV[i], ARGV[i + 1])) end
    end
  end
  at, place_of = behind, place_of + 1
end

-- Sending what follows, or booking it to the owner.
local sent, booked, is_booked = {}, {}, {}
local function follow(i, due)
  if due ~= '' and tonumber(due) > time then
    put(time, ARGV[i], ARGV[i + 1], due, ARGV[i + 3], ARGV[i + 4])
  else
    sent[#sent + 1] = i
  end
end

local function is_idle()
  for i = first_queue, last_queue do
    local queue, lists = ARGV[i], {}
    local due = next_due(queue)
    if due and due <= time then return false end
    for k, step in ipairs(ORDER) do lists[k] = list(queue, step) end
    if redis.call('EXISTS', unpack(lists)) > 0 then return false end
  end
  return true
end

local function book()
  local served, mine_now = {}, {}
  for i = first_queue, last_queue do served[ARGV[i]] = true end
  for _, i in ipairs(sent) do
    if served[ARGV[i]] then mine_now[#mine_now + 1] = i end
  end
  if #mine_now == 0 or not is_idle() or is_void(owner, handout) then return end
  for _, step in ipairs(ORDER) do
    for _, i in ipairs(mine_now) do
      if ARGV[i + 1] == step and #booked < places then
        booked[#booked + 1], is_booked[i] = i, true
        redis.call('HSET', mine, handout .. '.' .. #booked .. ' ' .. step .. ' ' .. ARGV[i], ARGV[i + 4])
      end
    end
  end
end

local fires = {}
if #kept > 0 or #told > 0 or #arrived > 0 then
  if DB ~= RESULT_DB then redis.call('SELECT', RESULT_DB) end
  for _, i in ipairs(kept) do keep(life, ARGV[i + 1], 'SUCCESS', ARGV[i + 2], '1') end
  for _, i in ipairs(told) do keep(life, unpack(ARGV, i, i + RESULT - 1)) end
  if joins then fires = note_arrivals(arrived, life) end
  if DB ~= RESULT_DB then redis.call('SELECT', DB) end
end

for _, each in ipairs(rest) do
  if each.fate ~= '-' then
    local step, queue = place(each.field)
    local element = redis.call('HGET', mine, each.field)
    bury(queue, step, element, string.sub(each.fate, 2), past(element) + 1, time)
  end
  for i = each.envelopes, each.behind - 1, MESSAGE do follow(i, ARGV[i + 2]) end
  drop(each.field)
end
for _, each in ipairs(fires) do
  local i, due = follows + MESSAGE * (each[1] - 1), nil
  due = each[2] > 0 and string.format('%.6f', math.max(tonumber(ARGV[i + 2]) or 0, time + each[2] / 1000)) or ARGV[i + 2]
  follow(i, due)
end
if handout ~= '' and #sent > 0 then book() end
for _, i in ipairs(sent) do
  if not is_booked[i] then put(time, ARGV[i], ARGV[i + 1], '', ARGV[i + 3], ARGV[i + 4]) end
end
for i = 1, #ends, at_once do
  local last = math.min(i + at_once - 1, #ends)
  redis.call('HDEL', mine, unpack(ends, i, last))
  if any_begun then redis.call('SREM', early, unpack(ends, i, last)) end
end
if next(met) then
  for _, field in ipairs(ends) do
    if met[field] then end_revocation(met[field]) end
  end
end
for i = first_plain, last_plain do
  if not drop(ARGV[i]) then lost[#lost + 1] = i - first_plain end
end
if handout == '' then return lost end
return {lost, redis.call('GET', REVOKED_MARK), string.format('%.6f', time), booked}
