-- Finishes an execution in one trip: counts it, keeps its result, and hands the result to those who wait for it.
-- Returns the state that the session had before. If two first successes end one session, the second one finds
-- `closed` and is not counted.
local session_key = KEYS[1]  -- hash: record, state
local result_key = KEYS[2]  -- string
local flight_key = KEYS[3]  -- hash: token, awaited, stale
local index_key = KEYS[4]  -- sorted set: keys of an owner's results of one script, by their expiry
local reply_key = KEYS[5]  -- list of one
local previous_session_key = KEYS[6]  -- the session in the previous format, or ''
local counter_key = KEYS[7]  -- hash: count, last
local now = ARGV[1]  -- ISO 8601
local token = ARGV[2]
local outcome = ARGV[3]
local ttl = ARGV[4]  -- seconds to keep the result, '0': do not keep it
local executed = ARGV[5] == '1'  -- count this execution
-- `first`: the session ends with this success; `shared`: it ends with a success of another request that this one
-- follows; `no`: it does not end.
local closes = ARGV[6]
local reply_ms = ARGV[7]  -- how long to keep the reply
local claimed = ARGV[8] == '1'  -- it has claimed to lead
local if_new = ARGV[9] == '1'  -- keep the result only if there is none: another may be newer

local state = redis.call('HGET', session_key, 'state')
if state and executed and not (state == 'closed' and closes == 'first') then
  count(session_key, counter_key, 1, now)
end
if state == 'active' and closes ~= 'no' then
  redis.call('HSET', session_key, 'state', 'closed')
  close_before(previous_session_key, session_key)
end
local leads, awaited, stale = false, false, false
if claimed then
  local flight = redis.call('HMGET', flight_key, 'token', 'awaited', 'stale')
  leads, awaited, stale = flight[1] == token, flight[2], flight[3]
end
if leads then
  redis.call('DEL', flight_key)
  if awaited then
    redis.call('RPUSH', reply_key, outcome)
    redis.call('PEXPIRE', reply_key, reply_ms)
  end
end
if ttl ~= '0' and not (leads and stale) and not (if_new and redis.call('EXISTS', result_key) == 1) then
  local seconds = tonumber(redis.call('TIME')[1])
  redis.call('SET', result_key, outcome, 'EX', ttl)
  redis.call('ZREMRANGEBYSCORE', index_key, '-inf', seconds)
  redis.call('ZADD', index_key, seconds + ttl, result_key)
  redis.call('EXPIRE', index_key, math.max(redis.call('TTL', index_key), ttl))
end
return state
