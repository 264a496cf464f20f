-- The keys of the schedule NAME; P is the prefix. All but the leader's belong to the entries, and end with the last of them.
--
--   Pumbel.schedule.entries:NAME    hash    name -> definition
--   Pumbel.schedule.state:NAME      hash    name -> "<enabled> <since> <fired or -> <count>"
--   Pumbel.schedule.versions:NAME   zset    names by the version of their last change, the removed ones too
--   Pumbel.schedule.gone:NAME       zset    removed names by the time of that; forgotten by those who write later
--   Pumbel.schedule.version:NAME    hash    latest: of the last change; forgotten: of the last that is no longer in `gone`
--   Pumbel.schedule.leader:NAME     string  who leads; expires
local function key(part) return P .. 'umbel.schedule.' .. part .. ':' .. NAME end
local ENTRIES, STATE, VERSIONS, GONE = key('entries'), key('state'), key('versions'), key('gone')
local VERSION, LEADER = key('version'), key('leader')
local SIDES = {VERSIONS, GONE, VERSION}
local AT_ONCE = 1000

local function now()
  local time = redis.call('TIME')
  return tonumber(time[1]) + tonumber(time[2]) / 1000000
end

-- A version as text: Lua's own way would round it.
local function text(version) return string.format('%.0f', version) end

-- The version of the last change; that of a new schedule is the time, so that it is behind all of one that was lost.
local function latest(time)
  local found = redis.call('HGET', VERSION, 'latest')
  if found then return tonumber(found) end
  local first = math.floor(time * 1000000)
  redis.call('HSET', VERSION, 'latest', text(first), 'forgotten', text(first))
  return first
end

-- Notes the version of the last change, and forgets what was removed more than `seconds` ago.
local function changed(version, time, seconds)
  redis.call('HSET', VERSION, 'latest', text(version))
  local old, last = redis.call('ZRANGEBYSCORE', GONE, '-inf', time - seconds, 'LIMIT', 0, AT_ONCE), 0
  for _, name in ipairs(old) do
    last = math.max(last, tonumber(redis.call('ZSCORE', VERSIONS, name)))
    redis.call('ZREM', VERSIONS, name)
    redis.call('ZREM', GONE, name)
  end
  if last > 0 then redis.call('HSET', VERSION, 'forgotten', text(last)) end
end

local function state(name)
  local found = redis.call('HGET', STATE, name)
  if found then return string.match(found, '^(%d) (%S+) (%S+) (%d+)$') end
end

local function set_state(name, enabled, since, fired, count)
  redis.call('HSET', STATE, name, enabled .. ' ' .. since .. ' ' .. fired .. ' ' .. count)
end
