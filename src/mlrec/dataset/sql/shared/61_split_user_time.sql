-- Splits each user's history by time, as n_train and n_val say.
-- In: events.  Out: view split_events(user_id, movie_id, preference, timestamp, position, ticks, split), in order; timestamp is in
-- whole seconds, and ticks in the units of the clock.
CREATE OR REPLACE TEMP VIEW split_events AS
SELECT user_id, movie_id, preference, written_time(timestamp, position) AS timestamp, position, timestamp AS ticks,
       CASE WHEN place < val_from THEN 'train' WHEN place < test_from THEN 'val' ELSE 'test' END AS split
FROM events;
