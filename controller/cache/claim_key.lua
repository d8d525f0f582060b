-- Who comes first with an Idempotency-Key?
-- KEYS[1] key (hash: body, token of who runs it, awaited, answer)
-- ARGV[1] digest of the body   ARGV[2] token   ARGV[3] ms that a claim holds, 0: only look
-- Answers {verdict, value, ms}: `new`; `conflict`; `answered` and the answer; `running`, its token, ms until the claim ends.
local held = redis.call('HMGET', KEYS[1], 'body', 'token', 'answer')
if not held[1] then
  if ARGV[3] ~= '0' then
    redis.call('HSET', KEYS[1], 'body', ARGV[1], 'token', ARGV[2])
    redis.call('PEXPIRE', KEYS[1], ARGV[3])
  end
  return {'new', false, 0}
end
if held[1] ~= ARGV[1] then
  return {'conflict', false, 0}
end
if held[3] then
  return {'answered', held[3], 0}
end
redis.call('HSET', KEYS[1], 'awaited', 1)
return {'running', held[2], redis.call('PTTL', KEYS[1])}
