-- Defines `count`, which counts executions of a session. The counter has another key, so that counting does not
-- invalidate the copies of the session's state that processes hold. Other scripts are appended to this one.
-- session_key: the session, which Redis knows   counter_key: hash: count, last
-- executions: how many   now: the time of the last one, ISO 8601
local function count(session_key, counter_key, executions, now)
  redis.call('HSET', counter_key, 'last', now)
  if redis.call('HINCRBY', counter_key, 'count', executions) == executions then
    local lives_ms = redis.call('PTTL', session_key)
    if lives_ms > 0 then
      redis.call('PEXPIRE', counter_key, lives_ms)
    end
  end
end
