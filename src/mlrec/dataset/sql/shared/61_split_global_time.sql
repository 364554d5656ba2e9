-- Events before the first cutoff time go to train, the next ones before the second to validation, the rest to test.
-- In: events, cutoff_times.  Out: view split_events as in 61_split_user_time.sql.
CREATE OR REPLACE TEMP VIEW split_events AS
SELECT user_id, movie_id, preference, written_time(timestamp, position) AS timestamp, position, timestamp AS ticks,
       CASE WHEN seconds_of(timestamp) >= (SELECT test_from FROM cutoff_times) THEN 'test'
            WHEN seconds_of(timestamp) >= (SELECT val_from FROM cutoff_times) THEN 'val'
            ELSE 'train' END AS split
FROM events;
