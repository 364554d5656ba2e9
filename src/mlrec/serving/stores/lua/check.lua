-- Compares everything stored for one user. Returns what is wrong, '' if nothing is.

local fault = misfit()
if fault then return fault end
local swipes, client_ids, undone, before, from = {}, 0, 0, nil, '-'
repeat
    local entries = redis.call('XRANGE', KEYS[2], from, '+', 'COUNT', 1000)
    for _, entry in ipairs(entries) do
        local event_id, undoes = number(entry), field(entry, 'undoes')
        if not event_id or (before and event_id ~= before + 1) then return 'events are missing in the middle' end
        if undoes == '0' then
            swipes[event_id] = true
        elseif swipes[tonumber(undoes or '')] then
            undone = undone + 1
        else
            return 'an undo refers to a swipe that is missing'
        end
        local client_id = field(entry, 'client_id')
        if client_id ~= '' then
            client_ids = client_ids + 1
            if tonumber(redis.call('HGET', KEYS[3], client_id or '') or '') ~= event_id then
                return 'client ids are missing'
            end
        end
        before, from = event_id, '(' .. entry[1]
    end
until #entries < 1000
if redis.call('HLEN', KEYS[3]) ~= client_ids then return 'there are client ids of missing events' end
if tonumber(redis.call('HGET', KEYS[1], 'undone') or '0') ~= undone then return 'the number of undone swipes is wrong' end
return ''
