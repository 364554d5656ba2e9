-- The split of the events outside the core, by the cutoff times of the core.
-- In: outside_events, cutoff_times.  Out: view split_outside; columns as in split_events, see 61_split_user_time.sql.
CREATE OR REPLACE TEMP VIEW split_outside AS
SELECT user_id, movie_id, preference, written_time(timestamp, position) AS timestamp, position, timestamp AS ticks,
       CASE WHEN seconds_of(timestamp) >= (SELECT test_from FROM cutoff_times) THEN 'test'
            WHEN seconds_of(timestamp) >= (SELECT val_from FROM cutoff_times) THEN 'val'
            ELSE 'train' END AS split
FROM outside_events;
