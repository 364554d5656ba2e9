-- The place in time of the events outside the core.
-- In: table outside, view events.
-- Out: table outside_events(user_id, movie_id, preference, timestamp, n, position). position is the number of the user's events in
-- the core that come before, in the total order of 51_events.sql; -1 for a dropped user.
CREATE TABLE outside_events AS
SELECT outside.user_id, movie_id, preference, timestamp, n,
       CASE WHEN n IS NULL THEN -1 ELSE coalesce(core.position + 1, 0) END AS position
FROM outside ASOF LEFT JOIN (
    SELECT user_id, row(timestamp, movie_id) AS place, position FROM events SEMI JOIN outside USING (user_id)
) AS core ON core.user_id = outside.user_id AND core.place < row(outside.timestamp, outside.movie_id);
