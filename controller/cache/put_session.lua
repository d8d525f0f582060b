-- Keeps a session. A state, count or time that Redis already has is not replaced.
local session_key = KEYS[1]  -- hash: record, state, count, last
local expires_ms = ARGV[1]  -- since 1970
local record = ARGV[2]  -- '': leave it as it is
local first_field = 3  -- from here on: names and values of the other fields, in turn

if record ~= '' then
  redis.call('HSET', session_key, 'record', record)
end
for field = first_field, #ARGV, 2 do
  redis.call('HSETNX', session_key, ARGV[field], ARGV[field + 1])
end
redis.call('PEXPIREAT', session_key, expires_ms)
