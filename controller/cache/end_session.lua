-- A session ends, known or not, so that nobody takes it up again.
-- KEYS[1] session (hash: record, state, count, last)   ARGV[1] state   ARGV[2] until then, ms since 1970
redis.call('HSET', KEYS[1], 'state', ARGV[1])
redis.call('PEXPIREAT', KEYS[1], ARGV[2])
