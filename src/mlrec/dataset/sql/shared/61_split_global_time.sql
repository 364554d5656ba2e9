-- Events before the first moment train, events before the second validate, the rest test.
-- In: events, moments.  Out: view split_events as in 61_split_user_time.sql.
CREATE OR REPLACE TEMP VIEW split_events AS
SELECT user_id, movie_id, preference, timestamp,
       CASE WHEN timestamp >= (SELECT test_from FROM moments) THEN 'test'
            WHEN timestamp >= (SELECT val_from FROM moments) THEN 'val'
            ELSE 'train' END AS split
FROM events;
