-- A session that closes is closed for processes of the version before, too.
-- before: the session's key in the format before, or ''   now: its key
local function close_before(before, now)
  if before ~= '' then
    redis.call('HSET', before, 'state', 'closed')
    redis.call('PEXPIRE', before, math.max(redis.call('PTTL', now), 1))
  end
end
