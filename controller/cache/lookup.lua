-- One trip of an execution: is the session alive, and is its result kept?
-- KEYS[1] session (hash: record, state, count, last)   KEYS[2] result (string), or absent: not asked for
-- ARGV[1] the present time, ISO 8601
-- Answers {state, result}, each false where there is none. A hit counts as an execution.
local state = redis.call('HGET', KEYS[1], 'state')
if state ~= 'active' or not KEYS[2] then
  return {state, false}
end
local result = redis.call('GET', KEYS[2])
if result then
  redis.call('HINCRBY', KEYS[1], 'count', 1)
  redis.call('HSET', KEYS[1], 'last', ARGV[1])
end
return {state, result}
