-- What the first one with an Idempotency-Key was answered, or nothing: then the next one runs.
-- KEYS[1] key (hash: body, token, awaited, answer)   KEYS[2] reply (list of one)
-- ARGV[1] digest of the body   ARGV[2] token   ARGV[3] answer, or ''   ARGV[4] seconds to keep it
-- ARGV[5] ms that a reply is kept
local held = redis.call('HMGET', KEYS[1], 'token', 'awaited', 'answer')
if held[3] or (held[1] and held[1] ~= ARGV[2]) then
  return
end
redis.call('DEL', KEYS[1])
if ARGV[3] ~= '' then
  redis.call('HSET', KEYS[1], 'body', ARGV[1], 'answer', ARGV[3])
  redis.call('EXPIRE', KEYS[1], ARGV[4])
end
if held[2] then
  redis.call('RPUSH', KEYS[2], ARGV[3])
  redis.call('PEXPIRE', KEYS[2], ARGV[5])
end
