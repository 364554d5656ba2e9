-- Like 52_outside_events.sql, with events of the same time in the order of 51_dealt_events.sql.
-- In: table outside, view events; variable random_seed.
-- Out: table outside_events, as in 52_outside_events.sql.
CREATE OR REPLACE TEMP MACRO dealt_place(timestamp, user_id, movie_id) AS
    row(seconds_of(timestamp), md5(concat_ws(':', getvariable('random_seed'), user_id, movie_id)));

CREATE TABLE outside_events AS
SELECT outside.user_id, movie_id, preference, timestamp, n,
       CASE WHEN n IS NULL THEN -1 ELSE coalesce(core.position + 1, 0) END AS position
FROM outside ASOF LEFT JOIN (
    SELECT user_id, dealt_place(timestamp, user_id, movie_id) AS place, position FROM events SEMI JOIN outside USING (user_id)
) AS core ON core.user_id = outside.user_id AND core.place < dealt_place(outside.timestamp, outside.user_id, outside.movie_id);
