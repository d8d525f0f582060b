-- Some of an owner's results of a script go. Answers how many.
-- KEYS[1] index (sorted set: results by their end), which names the keys that go   ARGV[1] at most so many
local results = redis.call('ZRANGE', KEYS[1], 0, ARGV[1] - 1)
if #results > 0 then
  redis.call('UNLINK', unpack(results))
  redis.call('ZREM', KEYS[1], unpack(results))
end
return #results
