-- The beginning of every script: reads the state of one user, and checks that the user's keys match. If a key was deleted by
-- hand or evicted, the others remain.
-- KEYS: user (hash), log (stream), clients (hash), forgotten (string), vector (hash).

local user = redis.call('HMGET', KEYS[1], 'last', 'token', 'forgotten_at', 'summed', 'latest_at', 'client_ids')
local last, token, summed = user[1], user[2], user[4]
-- Users forgotten by an earlier version have no separate key on the blocklist.
local is_forgotten = user[3] or redis.call('EXISTS', KEYS[4]) == 1
local ending = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]

local function field(entry, name)
    for position = 1, #entry[2], 2 do
        if entry[2][position] == name then return entry[2][position + 1] end
    end
end

-- The number in an entry's id: 7 in 0-7.
local function number(entry)
    return tonumber(string.match(entry[1], '^0%-(%d+)$'))
end

-- What does not match, in words; nil if everything matches.
local function misfit()
    if not string.match(last or '0', '^%d+$') or not string.match(token or '0', '^%d+$') then
        return 'the hash that says where the events end does not hold numbers'
    end
    if not token then
        if ending then return 'there are events, but the hash that says where they end is missing or incomplete' end
        if redis.call('EXISTS', KEYS[3]) == 1 then return 'there are client ids, but no events' end
        return nil
    end
    if not ending then return 'the stream of events is missing' end
    if not last or number(ending) ~= tonumber(last) or field(ending, 'token') ~= token then
        return 'the stream does not end with the event in the hash'
    end
    if summed == last and redis.call('HLEN', KEYS[3]) ~= tonumber(user[6]) then
        return 'client ids are missing'
    end
    return nil
end
