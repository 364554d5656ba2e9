-- ARGV: movie_id, preference, at, undoes, client_id or '', token, if_last or '', 1 if at must not be before the log's latest time.

if is_forgotten then return {'forgotten'} end
local fault = misfit()
if fault then return {'misfit', fault} end
if ARGV[5] ~= '' then
    local known = redis.call('HGET', KEYS[3], ARGV[5])
    if known then
        local entry = redis.call('XRANGE', KEYS[2], '0-' .. known, '0-' .. known)[1]
        if not entry then return {'misfit', 'the event of a client id is missing'} end
        return {'known', entry}
    end
end
if ARGV[7] ~= '' and ARGV[7] ~= (token or '0') then return {'moved'} end

-- The latest time and the number of client ids are stored with the event up to which they are valid. Versions that do not
-- store them may have appended events since, or have deleted that event.
local latest_at, client_ids, from = 0, 0, '-'
if summed and (summed == last or #redis.call('XRANGE', KEYS[2], '0-' .. summed, '0-' .. summed) == 1) and token then
    latest_at, client_ids, from = tonumber(user[5]), tonumber(user[6]), '(0-' .. summed
end
if token and summed ~= last then
    repeat
        local entries = redis.call('XRANGE', KEYS[2], from, '+', 'COUNT', 1000)
        for _, entry in ipairs(entries) do
            local at = tonumber(field(entry, 'at') or '')
            if not at then return {'misfit', 'an event has no time'} end
            if at > latest_at then latest_at = at end
            if field(entry, 'client_id') ~= '' then client_ids = client_ids + 1 end
            from = '(' .. entry[1]
        end
    until #entries < 1000
    if redis.call('HLEN', KEYS[3]) ~= client_ids then return {'misfit', 'client ids are missing'} end
end

local at = ARGV[3]
if ARGV[8] == '1' and latest_at > tonumber(at) then at = string.format('%d', latest_at) end
if tonumber(at) > latest_at then latest_at = tonumber(at) end
if ARGV[5] ~= '' then client_ids = client_ids + 1 end
local event_id = string.format('%d', tonumber(last or '0') + 1)
redis.call('XADD', KEYS[2], '0-' .. event_id, 'movie_id', ARGV[1], 'preference', ARGV[2], 'at', at, 'undoes', ARGV[4],
           'client_id', ARGV[5], 'token', ARGV[6])
redis.call('HSET', KEYS[1], 'last', event_id, 'token', ARGV[6], 'summed', event_id,
           'latest_at', string.format('%d', latest_at), 'client_ids', client_ids)
if ARGV[4] ~= '0' then redis.call('HINCRBY', KEYS[1], 'undone', 1) end
if ARGV[5] ~= '' then redis.call('HSET', KEYS[3], ARGV[5], event_id) end
return {'new', event_id, at}
