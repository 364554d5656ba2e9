-- The place in time of the events outside the core, as dataset/placing.py has found it.
-- In: table outside; table placed(number, position), by the rowid of outside.
-- Out: table outside_events(user_id, movie_id, preference, timestamp, n, position). position is the number of the user's events in
-- the core that come before, in the total order of 51_events.sql; -1 for a dropped user.
CREATE TABLE outside_events AS
SELECT user_id, movie_id, preference, timestamp, n, coalesce(position, -1) AS position
FROM outside LEFT JOIN placed ON placed.number = outside.rowid;

DROP TABLE placed;
