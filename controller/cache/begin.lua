-- The one trip at an execution's start: may the user, is the session alive, is the result kept, does a twin run?
-- KEYS[1] session (hash: record, state, count, last)   KEYS[2] result (string)
-- KEYS[3] flight (hash: token of who runs it, awaited: by another process, stale: its result is not to be kept)
-- KEYS[4] window (list)   KEYS[5], KEYS[6] session and result in the format before, or ''
-- ARGV[1] the present time, ISO 8601   ARGV[2] token: <process>/<number>   ARGV[3] ms that a claim holds
-- ARGV[4] limit, 0: none   ARGV[5] ms of its window   ARGV[6] '1': a kept result or a twin's will do
-- ARGV[7] '1': the session ends with its first success   ARGV[8] '1': the session is known to live, should it not be here
-- Answers {verdict, value, ms, quota}: `limited`; `session` and its state, unless it lives; `run`; `hit` and the result;
-- `twin`, its token and the ms until its claim ends; `lead`. A hit counts as an execution.
local quota = false
if ARGV[4] ~= '0' then
  quota = take(KEYS[4], tonumber(ARGV[4]), tonumber(ARGV[5]))
  if quota[1] == 0 then
    return {'limited', false, 0, quota}
  end
end
local state = redis.call('HGET', KEYS[1], 'state')
if KEYS[5] ~= '' then
  local before = redis.call('HGET', KEYS[5], 'state')
  if before and not state then
    redis.call('COPY', KEYS[5], KEYS[1])
    state = before
  elseif before and before ~= 'active' then
    state = before
  end
end
if state ~= 'active' and (state or ARGV[8] ~= '1') then
  return {'session', state, 0, quota}
end
if ARGV[6] ~= '1' then
  if redis.call('EXISTS', KEYS[3]) == 1 then
    redis.call('HSET', KEYS[3], 'stale', 1)
  end
  return {'run', false, 0, quota}
end
local result = redis.call('GET', KEYS[2])
if not result and KEYS[6] ~= '' then
  result = redis.call('GET', KEYS[6])
end
if result then
  if state then
    redis.call('HINCRBY', KEYS[1], 'count', 1)
    redis.call('HSET', KEYS[1], 'last', ARGV[1])
    if ARGV[7] == '1' then
      redis.call('HSET', KEYS[1], 'state', 'closed')
      close_before(KEYS[5], KEYS[1])
    end
  end
  return {'hit', result, 0, quota}
end
local leader = redis.call('HGET', KEYS[3], 'token')
if leader then
  -- Twins of one process find each other there.
  if string.match(leader, '^[^/]*') ~= string.match(ARGV[2], '^[^/]*') then
    redis.call('HSET', KEYS[3], 'awaited', 1)
  end
  return {'twin', leader, redis.call('PTTL', KEYS[3]), quota}
end
redis.call('HSET', KEYS[3], 'token', ARGV[2])
redis.call('PEXPIRE', KEYS[3], ARGV[3])
return {'lead', false, 0, quota}
