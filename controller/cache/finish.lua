-- The one trip at an execution's end: count it, keep its result, tell who waits.
-- KEYS[1] session (hash: record, state, count, last)   KEYS[2] result (string)
-- KEYS[3] flight (hash: token, awaited, stale)   KEYS[4] index (sorted set: an owner's results of a script, by their end)
-- KEYS[5] reply (list of one)   KEYS[6] session in the format before, or ''
-- ARGV[1] the present time, ISO 8601   ARGV[2] token   ARGV[3] outcome   ARGV[4] seconds to keep it, 0: not at all
-- ARGV[5] '1': count it   ARGV[6] `first`, `shared`: the session ends with this success, which is its own or a twin's;
-- `no`: it does not   ARGV[7] ms that a reply is kept
-- Answers the session's state before. Of two first successes the second one finds `closed`, and is not counted.
local state = redis.call('HGET', KEYS[1], 'state')
if state and ARGV[5] == '1' and not (state == 'closed' and ARGV[6] == 'first') then
  redis.call('HINCRBY', KEYS[1], 'count', 1)
  redis.call('HSET', KEYS[1], 'last', ARGV[1])
end
if state == 'active' and ARGV[6] ~= 'no' then
  redis.call('HSET', KEYS[1], 'state', 'closed')
  close_before(KEYS[6], KEYS[1])
end
local flight = redis.call('HMGET', KEYS[3], 'token', 'awaited', 'stale')
local mine = flight[1] == ARGV[2]
if mine then
  redis.call('DEL', KEYS[3])
  if flight[2] then
    redis.call('RPUSH', KEYS[5], ARGV[3])
    redis.call('PEXPIRE', KEYS[5], ARGV[7])
  end
end
if ARGV[4] ~= '0' and not (mine and flight[3]) then
  local now = tonumber(redis.call('TIME')[1])
  redis.call('SET', KEYS[2], ARGV[3], 'EX', ARGV[4])
  redis.call('ZREMRANGEBYSCORE', KEYS[4], '-inf', now)
  redis.call('ZADD', KEYS[4], now + ARGV[4], KEYS[2])
  redis.call('EXPIRE', KEYS[4], math.max(redis.call('TTL', KEYS[4]), ARGV[4]))
end
return state
