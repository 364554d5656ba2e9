-- Users whose log and row do not match, or whose events are not as mlrec writes them: user id and what is wrong, ordered by
-- user id, possibly several rows per user. Inputs: users, events. No parameters. Whether a BLOB is an id is checked elsewhere.
WITH logs AS (
    SELECT
        user_id,
        min(event_id) AS first_id,
        max(event_id) AS last_id,
        count(*) AS n_events,
        sum(
            typeof(user_id) NOT IN ('integer', 'blob') OR typeof(movie_id) NOT IN ('integer', 'blob')
            OR typeof(event_id) <> 'integer' OR typeof(preference) <> 'integer' OR typeof(at) <> 'integer' OR typeof(undoes) <> 'integer'
            OR typeof(token) <> 'integer' OR typeof(client_id) NOT IN ('null', 'text')
            OR event_id < 1 OR token < 1 OR preference NOT BETWEEN -2 AND 2 OR at NOT BETWEEN 0 AND 253402300799
        ) AS n_foreign
    FROM events
    GROUP BY user_id
)
SELECT
    logs.user_id AS user_id,
    CASE
        WHEN n_foreign > 0 THEN 'an event is not as mlrec writes it'
        WHEN users.user_id IS NULL THEN 'the row that says where the log ends is missing'
        WHEN users.last_event_id IS NOT last_id OR users.token IS NOT ending.token
            THEN 'the log does not end with the event in the user''s row'
        WHEN n_events <> last_id - first_id + 1 THEN 'events are missing in the middle'
    END AS fault
FROM logs
LEFT JOIN users ON users.user_id = logs.user_id
LEFT JOIN events AS ending ON ending.user_id = logs.user_id AND ending.event_id = logs.last_id
WHERE fault IS NOT NULL

UNION ALL
SELECT user_id, 'the events are missing'
FROM users
WHERE
    (typeof(last_event_id) <> 'integer' OR last_event_id < 0 OR token IS NOT 0)
    AND NOT EXISTS (SELECT 1 FROM events WHERE events.user_id = users.user_id)

UNION ALL
SELECT tombstone.user_id, 'an undo refers to a swipe that is missing'
FROM events AS tombstone
LEFT JOIN events AS swipe
    ON swipe.user_id = tombstone.user_id AND swipe.event_id = tombstone.undoes AND swipe.undoes = 0
WHERE tombstone.undoes <> 0 AND swipe.event_id IS NULL

ORDER BY user_id;
