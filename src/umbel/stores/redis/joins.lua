-- Counts the parts of chords in Celery's keys, so that its workers count ours and we count theirs, and one side fires the body.
-- Keys, R is the prefix and R' is Rcelery-taskset-meta-<chord>:
--   R'.j  zset     the parts, by their index; a list in the order of their arrival, where somebody has set that (ORDERED)
--   R'.d  set      "<id>:<index>" of those
--   R'.s  string   how many are expected
--   R'.t  string   by how many the chord grew
--   R'.c  string   the claim to fire it: "umbel <id>:<index>" of the part that completed it here, a token of Celery's, or "done"
--   Rumbel-growth-<chord>   hash   "<run> <id>" -> by how many it made the chord grow; "lost" -> what is missed (size, parts)
--
-- What of it is gone, thrown out for want of memory, is missed when the next part arrives: there is no size (or Celery's client
-- has not told it yet), or ids of parts and none of these. Then what follows is sent DOUBT milliseconds later, once, to look.
local OURS, DOUBT = 'umbel ', 10000
local JOIN_KEYS = {'.j', '.d', '.s', '.t'}
local chords = {}

local function growth(chord) return R .. 'umbel-growth-' .. chord end

-- What is known of a chord; this script counts on by itself.
local function open_chord(id)
  local it = chords[id]
  if it then return it end
  local base = R .. 'celery-taskset-meta-' .. id
  it = {id = id, base = base, jar = base .. '.j', claim = redis.call('GET', base .. '.c')}
  it.is_ours = it.claim and string.sub(it.claim, 1, #OURS) == OURS
  it.is_done = it.claim == 'done'
  if not it.is_done then
    local kind = redis.call('TYPE', it.jar).ok
    it.is_list = kind == 'list' or (kind == 'none' and ORDERED == '0')
    it.count = it.is_list and redis.call('LLEN', it.jar) or redis.call('ZCARD', it.jar)
    it.size = tonumber(redis.call('GET', base .. '.s') or nil)
    it.grown = tonumber(redis.call('GET', base .. '.t') or 0)
    it.doubt = redis.call('HGET', growth(id), 'lost')
    it.is_damaged = it.doubt == 'parts' or (it.count == 0 and redis.call('EXISTS', base .. '.d') == 1)
  end
  chords[id] = it
  return it
end

-- Lets it live from now on as long as results do; if its size is known, as long as its parts may wait.
local function touch(it, life)
  if life ~= '' and it.size and tonumber(life) < tonumber(WAITS) then life = WAITS end
  local keys = {growth(it.id)}
  for i, name in ipairs(JOIN_KEYS) do keys[i + 1] = it.base .. name end
  if it.is_ours then keys[#keys + 1] = it.base .. '.c' end
  for _, key in ipairs(keys) do
    if life == '' then redis.call('PERSIST', key) else redis.call('PEXPIRE', key, life) end
  end
end

local function is_of(member, id)
  local mine = '"' .. id .. '"'
  if string.sub(member, 5, 4 + #mine) == mine or string.sub(member, 4, 3 + #mine) == mine then return true end
  local ok, found = pcall(cjson.decode, member)
  return ok and type(found) == 'table' and found[2] == id
end

-- Keeps the part instead of what was kept of it; true if it was there before.
local function keep_part(it, id, index, part)
  local is_known = redis.call('SADD', it.base .. '.d', id .. ':' .. index) == 0
  if it.is_list then
    if is_known then
      for place, member in ipairs(redis.call('LRANGE', it.jar, 0, -1)) do
        if is_of(member, id) then
          redis.call('LSET', it.jar, place - 1, part)
          return true
        end
      end
    end
    redis.call('RPUSH', it.jar, part)
  else
    for _, member in ipairs(redis.call('ZRANGEBYSCORE', it.jar, index, index)) do
      if is_of(member, id) then
        if member ~= part then
          redis.call('ZREM', it.jar, member)
          redis.call('ZADD', it.jar, index, part)
        end
        return true
      end
    end
    redis.call('ZADD', it.jar, index, part)
  end
  it.count = it.count + 1
  return false
end

-- Notes the arrivals at these places of ARGV; `follows` is the number of what is to follow, or 0.
-- Gives the numbers of what is to be sent, and after how many milliseconds: {number, delay}...
--
-- What the server may refuse comes first, then the claims: a script that fails has claimed nothing that it does not send.
local ARRIVAL = 8
local function note_arrivals(places, life, again)
  local fires, touched = {}, {}
  for _, i in ipairs(places) do
    local chord, id, index, has_part, part, more, run, follows = unpack(ARGV, i, i + ARRIVAL - 1)
    local it = open_chord(chord)
    if not it.is_done then
      touched[it.id] = it
      more, follows = tonumber(more), tonumber(follows)
      if more > 0 then
        run = run .. ' ' .. id
        local by = more - tonumber(redis.call('HGET', growth(it.id), run) or 0)
        redis.call('HSET', growth(it.id), run, more)
        redis.call('INCRBY', it.base .. '.t', by)
        it.grown = it.grown + by
      end
      if has_part == '1' then
        local was_there, mine = keep_part(it, id, index, part), OURS .. id .. ':' .. index
        local lost = it.is_damaged and 'parts' or (not (it.size or again) and 'size')
        if follows > 0 and lost and it.doubt ~= 'parts' and it.doubt ~= lost then
          redis.call('HSET', growth(it.id), 'lost', lost)
          it.doubt, fires[#fires + 1] = lost, {follows, DOUBT}
        elseif follows > 0 and it.size and it.count >= it.size + it.grown then
          if not it.claim then
            it.claim, it.is_ours, it.is_new = mine, true, true
            fires[#fires + 1] = {follows, 0}
          elseif again and it.claim == mine then
            fires[#fires + 1] = {follows, 0}
          elseif was_there and not it.is_ours then
            -- A worker of Celery's was about to fire it, and it may be this one's death that has brought the part again. When its
            -- claim has run out without an end, what follows still finds the parts.
            fires[#fires + 1] = {follows, math.max(redis.call('PTTL', it.base .. '.c'), 0) + 1000}
          end
        end
      end
    end
  end
  for _, it in pairs(touched) do
    if it.is_new then redis.call('SET', it.base .. '.c', it.claim) end
    touch(it, life)
  end
  return fires
end
