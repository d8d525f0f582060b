-- Defines `take`, which charges requests to a sliding window. Other scripts are appended to this one.
-- window_key: list of the times of the latest admitted requests, in ms
-- limit: requests in any window   window_ms: its length
-- places: how many the process wants; more than one are leased: used within lease_ms, or given back
-- A request that uses a leased place leaves the window up to lease_ms too early. So no more than a fiftieth of the limit
-- is leased at any moment, by all processes together.
-- Returns {places, 0: refused; requests left; ms until the oldest request leaves the window; the time of the places}.
local function take(window_key, limit, window_ms, places, lease_ms)
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
    return {0, 0, oldest + window_ms - now, now}
  end
  local time, granted = string.format('%.0f', now), 1
  if places > 1 then
    local share = math.floor(limit / 100)
    local earlier = redis.call('LINDEX', window_key, -share)
    if share > 0 and not (earlier and tonumber(earlier) > now - lease_ms) then
      granted = math.max(1, math.min(places, share, math.floor((limit - used) / 8)))
    end
  end
  local times = {}
  for place = 1, granted do
    times[place] = time
  end
  redis.call('RPUSH', window_key, unpack(times))
  redis.call('PEXPIRE', window_key, window_ms)
  return {granted, limit - used - granted, (oldest or now) + window_ms - now, now}
end
