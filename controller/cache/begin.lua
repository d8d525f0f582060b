-- Begins an execution in one trip: charges the rate limit, checks the session, and looks for a kept result or for an
-- equal run to follow. A hit counts as an execution.
-- Returns a line `<status> <1: there is a value> <ms>[ <places> <left> <reset ms> <time>]` and then the value. One string:
-- Redis 6 writes nested arrays of a script in pieces, with a system call for each. The numbers of the quota are those
-- of `take`.
-- Status: `limited`; `session` and the state of a session that is not active; `run`; `hit`, the result and the ms that
-- it is kept; `follower`, the leader's token and the ms that its lease has left; `lead`.
local session_key = KEYS[1]  -- hash: record, state
local result_key = KEYS[2]  -- string
local flight_key = KEYS[3]  -- hash: token of the leader; awaited: by another process; stale: do not keep the result
local window_key = KEYS[4]  -- list
local previous_session_key = KEYS[5]  -- the session in the previous format, or ''
local previous_result_key = KEYS[6]  -- the result in the previous format, or ''
local counter_key = KEYS[7]  -- hash: count, last
local now = ARGV[1]  -- ISO 8601
local token = ARGV[2]  -- <process>/<number>
local lease_ms = ARGV[3]
local limit = tonumber(ARGV[4])  -- 0: no limit
local window_ms = tonumber(ARGV[5])
local reuse = ARGV[6] == '1'  -- a kept result, or that of an equal run, will do
local once = ARGV[7] == '1'  -- the session ends with its first success
local alive = ARGV[8] == '1'  -- the session is known to be active if Redis does not have it
local places = tonumber(ARGV[9])  -- wanted in the window
local place_lease_ms = tonumber(ARGV[10])
local claims = ARGV[11] == '1'  -- to lead other processes

local quota = ''
local function reply(status, value, ms)
  return status .. (value and ' 1 ' or ' 0 ') .. ms .. quota .. '\n' .. (value or '')
end

if limit ~= 0 then
  local taken = take(window_key, limit, window_ms, places, place_lease_ms)
  quota = string.format(' %.0f %.0f %.0f %.0f', taken[1], taken[2], taken[3], taken[4])
  if taken[1] == 0 then
    return reply('limited', false, 0)
  end
end
local state = redis.call('HGET', session_key, 'state')
if previous_session_key ~= '' then
  local previous = redis.call('HGET', previous_session_key, 'state')
  if previous and not state then
    redis.call('COPY', previous_session_key, session_key)
    state = previous
  elseif previous and previous ~= 'active' then
    state = previous
  end
end
if state ~= 'active' and (state or not alive) then
  return reply('session', state, 0)
end
if not reuse then
  if redis.call('EXISTS', flight_key) == 1 then
    redis.call('HSET', flight_key, 'stale', 1)
  end
  return reply('run', false, 0)
end
local kept_key, result = result_key, redis.call('GET', result_key)
if not result and previous_result_key ~= '' then
  kept_key, result = previous_result_key, redis.call('GET', previous_result_key)
end
if result then
  if state then
    count(session_key, counter_key, 1, now)
    if once then
      redis.call('HSET', session_key, 'state', 'closed')
      close_before(previous_session_key, session_key)
    end
  end
  return reply('hit', result, redis.call('PTTL', kept_key))
end
local leader = redis.call('HGET', flight_key, 'token')
if leader then
  -- Followers in the leader's own process are told there, not through Redis.
  if string.match(leader, '^[^/]*') ~= string.match(token, '^[^/]*') then
    redis.call('HSET', flight_key, 'awaited', 1)
  end
  return reply('follower', leader, redis.call('PTTL', flight_key))
end
if claims then
  redis.call('HSET', flight_key, 'token', token)
  redis.call('PEXPIRE', flight_key, lease_ms)
end
return reply('lead', false, 0)
