-- Apply one event to the view: version check, list edit, trim and expiry in one step.
-- KEYS: list of all, list of the author, hash of the post
-- ARGV: version, entry ('' removes), length of all, length of the author's, list TTL, post TTL
-- Returns 'applied', or 'stale' when the view has this version or a later one.

local all, own, post = KEYS[1], KEYS[2], KEYS[3]
local version, entry = ARGV[1], ARGV[2]

-- Entries begin with their time and event id, both of fixed width: this prefix orders them.
local ORDER = '^{"timestamp":"([^"]*)","event_id":"([^"]*)"'

local function order(item)
  local time, id = string.match(item, ORDER)
  return time .. id
end

local function insert(list, most)
  local mine = order(entry)
  local newest = redis.call('LINDEX', list, 0)
  if not newest or order(newest) < mine then
    redis.call('LPUSH', list, entry)
  else
    -- A late event: walk to its place. Rare, and at most as long as the list.
    local before = nil
    for _, item in ipairs(redis.call('LRANGE', list, 0, -1)) do
      if order(item) < mine then
        before = item
        break
      end
    end
    if before then
      redis.call('LINSERT', list, 'BEFORE', before, entry)
    else
      redis.call('RPUSH', list, entry)
    end
  end
  redis.call('LTRIM', list, 0, most - 1)
end

local known = redis.call('HMGET', post, 'version', 'entry')
if known[1] and tonumber(known[1]) >= tonumber(version) then
  return 'stale'
end
if known[2] then
  redis.call('LREM', all, 1, known[2])
  redis.call('LREM', own, 1, known[2])
end
if entry == '' then
  redis.call('HDEL', post, 'entry')
  redis.call('HSET', post, 'version', version)
else
  redis.call('HSET', post, 'version', version, 'entry', entry)
  insert(all, tonumber(ARGV[3]))
  insert(own, tonumber(ARGV[4]))
end
redis.call('EXPIRE', all, ARGV[5])
redis.call('EXPIRE', own, ARGV[5])
redis.call('EXPIRE', post, ARGV[6])
return 'applied'
