-- Deletes some of an owner's results of one script. Returns how many.
local index_key = KEYS[1]  -- sorted set: keys of results by their expiry
local limit = ARGV[1]  -- how many to delete at most

local results = redis.call('ZRANGE', index_key, 0, limit - 1)
if #results > 0 then
  redis.call('UNLINK', unpack(results))
  redis.call('ZREM', index_key, unpack(results))
end
return #results
