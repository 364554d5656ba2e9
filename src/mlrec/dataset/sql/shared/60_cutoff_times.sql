-- Two cutoff times for all users: those of the events at positions ⌊N·a/s⌋ and ⌊N·a/s⌋ + ⌊N·b/s⌋ of all N events in time order,
-- where a : b : c is the split ratio and s its sum.
-- In: events.  Out: view new_cutoff_times(val_from, test_from), one row; it is kept as cutoff_times.
CREATE OR REPLACE TEMP VIEW new_cutoff_times AS
WITH seconds AS (
    SELECT timestamp, sum(count(*)) OVER (ORDER BY timestamp) AS up_to
    FROM (SELECT seconds_of(timestamp) AS timestamp FROM events) GROUP BY timestamp
), positions AS (
    SELECT share_of(count(*), 1) AS val_position, share_of(count(*), 1) + share_of(count(*), 2) AS test_position
    FROM events
)
SELECT (SELECT min(timestamp) FROM seconds WHERE up_to > (SELECT val_position FROM positions)) AS val_from,
       (SELECT min(timestamp) FROM seconds WHERE up_to > (SELECT test_position FROM positions)) AS test_from;
