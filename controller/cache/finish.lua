-- End of an execution: count it, keep its result.
-- KEYS[1] session (hash: record, state, count, last)   KEYS[2] result (string)
-- ARGV[1] the present time, ISO 8601   ARGV[2] seconds to keep, 0: not at all   ARGV[3] the result
if redis.call('HEXISTS', KEYS[1], 'state') == 1 then
  redis.call('HINCRBY', KEYS[1], 'count', 1)
  redis.call('HSET', KEYS[1], 'last', ARGV[1])
end
if ARGV[2] ~= '0' then
  redis.call('SET', KEYS[2], ARGV[3], 'EX', ARGV[2])
end
