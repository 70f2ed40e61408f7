"""The script that stores the offset of a batch and its counters, if the view is still the same."""

NOTE = """
-- Store the offset and the counts of a batch, unless Redis holds another view than before the batch:
-- a rebuild has replaced it, its data were lost, or an older copy was restored.
-- KEYS: generation, offset, counters
-- ARGV: generation before the batch, offset stored before it ('' for none), next offset,
--       then name and number of each counter
-- Returns 1, or 0 when this is another view.

if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] or (redis.call('GET', KEYS[2]) or '') ~= ARGV[2] then
  return 0
end
redis.call('SET', KEYS[2], ARGV[3])
for n = 4, #ARGV, 2 do
  redis.call('HINCRBY', KEYS[3], ARGV[n], ARGV[n + 1])
end
return 1
"""
