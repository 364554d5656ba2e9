-- Two moments for everybody: those of the events at positions ⌊N·a/s⌋ and ⌊N·a/s⌋ + ⌊N·b/s⌋ of all N events in time order
-- (a : b : c is the split ratio, s its sum). Events before the first moment train, events before the second validate.
-- In: table events; variable split_ratio.  Out: table moments(val_from, test_from); view split_events as in 60_split_user_time.sql.
CREATE TABLE moments AS
WITH seconds AS (
    SELECT timestamp, sum(count(*)) OVER (ORDER BY timestamp) AS up_to FROM events GROUP BY timestamp
), positions AS (
    SELECT share_of(count(*), 1) AS val_position, val_position + share_of(count(*), 2) AS test_position
    FROM events
)
SELECT (SELECT min(timestamp) FROM seconds WHERE up_to > val_position) AS val_from,
       (SELECT min(timestamp) FROM seconds WHERE up_to > test_position) AS test_from
FROM positions;

CREATE VIEW split_events AS
SELECT user_id, movie_id, preference, timestamp,
       CASE WHEN timestamp >= (SELECT test_from FROM moments) THEN 'test'
            WHEN timestamp >= (SELECT val_from FROM moments) THEN 'val'
            ELSE 'train' END AS split
FROM events;
