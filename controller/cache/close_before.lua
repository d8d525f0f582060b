-- Closes a session in the previous format too, for processes of the previous version during an upgrade.
-- previous_key: the session in the previous format, or ''   key: the session
local function close_before(previous_key, key)
  if previous_key ~= '' then
    redis.call('HSET', previous_key, 'state', 'closed')
    redis.call('PEXPIRE', previous_key, math.max(redis.call('PTTL', key), 1))
  end
end
