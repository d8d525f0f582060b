-- A run that nobody waits for in its own process any more.
-- KEYS[1] flight (hash: token, awaited, stale)   ARGV[1] token
-- Answers 1: end it; 0: another process waits for it.
local flight = redis.call('HMGET', KEYS[1], 'token', 'awaited')
if flight[1] ~= ARGV[1] then
  return 1
end
if flight[2] then
  return 0
end
redis.call('DEL', KEYS[1])
return 1
