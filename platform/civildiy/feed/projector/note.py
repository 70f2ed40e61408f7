"""The script that stores the offset of a batch and its counters, if the view is still the same."""

NOTE = """
-- Note what a batch did, unless this is no longer the view that the batch was meant for: it was
-- switched for a rebuilt one in between, emptied, or set back.
-- KEYS: generation, offset, counters
-- ARGV: generation before the batch, offset noted before it ('' for none), next offset,
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
