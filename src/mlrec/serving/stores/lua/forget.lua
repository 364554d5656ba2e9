-- ARGV: epoch seconds. Works even if keys are missing: a person's wish must not depend on them. The last event id stays, so
-- that no id is reused. The mark in the hash is for earlier versions, which know only that one.

local events = redis.call('XLEN', KEYS[2])
local latest = math.max(tonumber(last or '0') or 0, ending and number(ending) or 0)
redis.call('DEL', KEYS[2], KEYS[3], KEYS[5])
redis.call('HDEL', KEYS[1], 'undone', 'token', 'summed', 'latest_at', 'client_ids')
if latest > 0 then redis.call('HSET', KEYS[1], 'last', string.format('%d', latest)) end
redis.call('HSET', KEYS[1], 'forgotten_at', ARGV[1])
redis.call('SET', KEYS[4], ARGV[1])
return events
