-- Defines `take`, which charges one request to a sliding window. Other scripts are appended to this one.
-- window_key: list of the times of the latest admitted requests, in ms
-- limit: requests in any window   window_ms: its length
-- Returns {1: admitted, 0: refused; requests left; ms until the oldest request leaves the window}.
local function take(window_key, limit, window_ms)
  local clock = redis.call('TIME')
  local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
  local function expired(index)
    local time = redis.call('LINDEX', window_key, index)
    return time and tonumber(time) <= now - window_ms
  end
  -- The stride doubles and then halves, so that thousands of expired entries cost a few commands and not one each.
  local stride = 1
  while expired(stride - 1) do
    redis.call('LTRIM', window_key, stride, -1)
    stride = stride * 2
  end
  while stride > 1 do
    stride = stride / 2
    if expired(stride - 1) then
      redis.call('LTRIM', window_key, stride, -1)
    end
  end
  local oldest = tonumber(redis.call('LINDEX', window_key, 0))
  local used = redis.call('LLEN', window_key)
  if used >= limit then
    return {0, 0, oldest + window_ms - now}
  end
  redis.call('RPUSH', window_key, string.format('%.0f', now))
  redis.call('PEXPIRE', window_key, window_ms)
  return {1, limit - used - 1, (oldest or now) + window_ms - now}
end
