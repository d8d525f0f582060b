-- Keeps a session. A state, count or time that Redis already has is not replaced.
local session_key = KEYS[1]  -- hash: record, state
local counter_key = KEYS[2]  -- hash: count, last
local expires_ms = ARGV[1]  -- since 1970
local record = ARGV[2]  -- '': leave it as it is
local state = ARGV[3]
local executions = ARGV[4]
local last = ARGV[5]  -- ISO 8601; '': there was none

if record ~= '' then
  redis.call('HSET', session_key, 'record', record)
end
redis.call('HSETNX', session_key, 'state', state)
redis.call('PEXPIREAT', session_key, expires_ms)
redis.call('HSETNX', counter_key, 'count', executions)
if last ~= '' then
  redis.call('HSETNX', counter_key, 'last', last)
end
redis.call('PEXPIREAT', counter_key, expires_ms)
