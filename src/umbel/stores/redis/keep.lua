-- Writes results as Celery does: one string for each, told to who listens on the channel of the same name.
-- Keys, R is the prefix: Rcelery-task-meta-<id>   string  the document
--                        Rumbel-state-<id>        string  the state, only where the document does not tell it in the clear
local READY = {SUCCESS = true, FAILURE = true, REVOKED = true}
local KNOWN = {PENDING = true, RECEIVED = true, STARTED = true, REJECTED = true, RETRY = true, SUCCESS = true, FAILURE = true, REVOKED = true}

local function set(key, value, life)
  if life == '' then return redis.call('SET', key, value) end
  return redis.call('SET', key, value, 'PX', life)
end

local function set_new(key, value, life)
  if life == '' then return redis.call('SET', key, value, 'NX') end
  return redis.call('SET', key, value, 'PX', life, 'NX')
end

local function side_of(id) return R .. 'umbel-state-' .. id end

local function state_of(key, id)
  local told = redis.call('GET', side_of(id))
  if told then return told end
  local found = string.match(redis.call('GETRANGE', key, 0, 79), 'status[^%w_]+([%u_]+)')
  return found or string.match(redis.call('GET', key), '\nstatus: ([%u_]+)\n')
end

-- A result among the arguments: id, state, document, and whether that tells the state in the clear. The rule of states.may_replace.
local RESULT = 4
local function keep(life, id, state, document, is_clear)
  local key = R .. 'celery-task-meta-' .. id
  if not set_new(key, document, life) then
    local old = state_of(key, id)
    if old == 'SUCCESS' or (READY[old or ''] and not READY[state]) then return end
    if state == 'STARTED' and old and not KNOWN[old] then return end
    set(key, document, life)
    if is_clear == '1' then redis.call('DEL', side_of(id)) end
  end
  if is_clear ~= '1' then set(side_of(id), state, life) end
  redis.call('PUBLISH', key, document)
end
