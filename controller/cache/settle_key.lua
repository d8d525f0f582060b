-- Keeps the answer to the first request with an Idempotency-Key, or frees the key so that the next request runs.
local key = KEYS[1]  -- hash: body, token, awaited, answer
local reply_key = KEYS[2]  -- list of one
local body_digest = ARGV[1]
local token = ARGV[2]
local answer = ARGV[3]  -- '': free the key
local ttl = ARGV[4]  -- seconds to keep the answer
local reply_ms = ARGV[5]  -- how long to keep the reply

local held = redis.call('HMGET', key, 'token', 'awaited', 'answer')
local holder, awaited, held_answer = held[1], held[2], held[3]
if held_answer or (holder and holder ~= token) then
  return
end
redis.call('DEL', key)
if answer ~= '' then
  redis.call('HSET', key, 'body', body_digest, 'answer', answer)
  redis.call('EXPIRE', key, ttl)
end
if awaited then
  redis.call('RPUSH', reply_key, answer)
  redis.call('PEXPIRE', reply_key, reply_ms)
end
