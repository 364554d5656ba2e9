-- Splits each user's history by time: the first ⌊n·a/s⌋ events go to train, the next ⌊n·b/s⌋ to validation, the rest to test, where
-- a : b : c is the split ratio and s its sum. All events of a user with fewer than 3 events go to train.
-- In: events.  Out: view split_events(user_id, movie_id, preference, timestamp, position, ticks, split), in order; timestamp is in
-- whole seconds, and ticks in the units of the clock.
CREATE OR REPLACE TEMP VIEW split_events AS
SELECT user_id, movie_id, preference, written_time(timestamp, position) AS timestamp, position, timestamp AS ticks,
       CASE WHEN n < 3 OR position < share_of(n, 1) THEN 'train'
            WHEN position < share_of(n, 1) + share_of(n, 2) THEN 'val'
            ELSE 'test' END AS split
FROM events;
