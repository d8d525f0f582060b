-- Returns the fields of a session, and those of its counter.
local session_key = KEYS[1]  -- hash: record, state; of processes of an older version also count, last
local counter_key = KEYS[2]  -- hash: count, last

return {redis.call('HGETALL', session_key), redis.call('HGETALL', counter_key)}
