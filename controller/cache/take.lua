-- A place in a window, alone.
-- KEYS[1] window (list)   ARGV[1] limit   ARGV[2] ms
return take(KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2]))
