-- One place in a sliding window, for `take(key, limit, window)`; other scripts begin with this one.
-- key (list: the times, in ms, of the latest requests that were let in)   limit of requests in any window of ms
-- Answers {1: let in, 0: not; places left; ms until the next place is free}
local function take(key, limit, window)
  local clock = redis.call('TIME')
  local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
  local function gone(index)
    local time = redis.call('LINDEX', key, index)
    return time and tonumber(time) <= now - window
  end
  -- In strides that double and then halve: many that are gone at once hold up nobody.
  local stride = 1
  while gone(stride - 1) do
    redis.call('LTRIM', key, stride, -1)
    stride = stride * 2
  end
  while stride > 1 do
    stride = stride / 2
    if gone(stride - 1) then
      redis.call('LTRIM', key, stride, -1)
    end
  end
  local oldest = tonumber(redis.call('LINDEX', key, 0))
  local used = redis.call('LLEN', key)
  if used >= limit then
    return {0, 0, oldest + window - now}
  end
  redis.call('RPUSH', key, string.format('%.0f', now))
  redis.call('PEXPIRE', key, window)
  return {1, limit - used - 1, (oldest or now) + window - now}
end
