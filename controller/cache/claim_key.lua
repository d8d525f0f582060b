-- Claims an Idempotency-Key for its first request, or tells how that request fares.
-- Returns {status, value, ms}. Status: `new`; `conflict`; `answered` and the answer; `running`, the token of the run
-- and the ms that its lease has left.
local key = KEYS[1]  -- hash: body, token of the run, awaited, answer
local body_digest = ARGV[1]
local token = ARGV[2]
local lease_ms = ARGV[3]  -- '0': only look

local held = redis.call('HMGET', key, 'body', 'token', 'answer')
local held_digest, holder, answer = held[1], held[2], held[3]
if not held_digest then
  if lease_ms ~= '0' then
    redis.call('HSET', key, 'body', body_digest, 'token', token)
    redis.call('PEXPIRE', key, lease_ms)
  end
  return {'new', false, 0}
end
if held_digest ~= body_digest then
  return {'conflict', false, 0}
end
if answer then
  return {'answered', answer, 0}
end
redis.call('HSET', key, 'awaited', 1)
return {'running', holder, redis.call('PTTL', key)}
