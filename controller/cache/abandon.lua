-- Tells whether a run without waiters in its own process may end, and removes its flight if so.
-- Returns 1: end it; 0: another process waits for its result.
local flight_key = KEYS[1]  -- hash: token, awaited, stale
local token = ARGV[1]

local flight = redis.call('HMGET', flight_key, 'token', 'awaited')
local leader, awaited = flight[1], flight[2]
if leader ~= token then
  return 1
end
if awaited then
  return 0
end
redis.call('DEL', flight_key)
return 1
