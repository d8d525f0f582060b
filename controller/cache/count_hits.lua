-- Counts the hits that a process answered without a trip. Returns the sessions that Redis does not know.
-- KEYS: sessions and their counters, in turn   ARGV: of each session the number of hits and the time of the last one
local unknown = {}
for index = 1, #KEYS, 2 do
  if redis.call('HEXISTS', KEYS[index], 'state') == 1 then
    count(KEYS[index], KEYS[index + 1], tonumber(ARGV[index]), ARGV[index + 1])
  else
    table.insert(unknown, KEYS[index])
  end
end
return unknown
