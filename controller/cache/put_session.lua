-- A session is kept. A state, count and time that are already there win.
-- KEYS[1] session (hash: record, state, count, last)
-- ARGV[1] its end, ms since 1970   ARGV[2] record, or '': as it is   ARGV[3...] names and values of the other fields
if ARGV[2] ~= '' then
  redis.call('HSET', KEYS[1], 'record', ARGV[2])
end
for field = 3, #ARGV, 2 do
  redis.call('HSETNX', KEYS[1], ARGV[field], ARGV[field + 1])
end
redis.call('PEXPIREAT', KEYS[1], ARGV[1])
