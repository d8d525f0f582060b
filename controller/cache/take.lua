-- Charges one request to a sliding window; see `take` in rate.lua.
local window_key = KEYS[1]  -- list
local limit, window_ms = tonumber(ARGV[1]), tonumber(ARGV[2])

return take(window_key, limit, window_ms, 1, 0)
