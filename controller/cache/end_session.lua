-- Records that a session has ended, whether Redis knew it or not, so that no process takes it up again.
local session_key = KEYS[1]  -- hash: record, state
local state = ARGV[1]
local expires_ms = ARGV[2]  -- since 1970

redis.call('HSET', session_key, 'state', state)
redis.call('PEXPIREAT', session_key, expires_ms)
