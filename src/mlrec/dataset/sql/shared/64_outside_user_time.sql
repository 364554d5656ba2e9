-- The split of the events outside the core: that of the user's next event in the core, or of the last one. So no event outside the
-- core is in train that comes after an event in validation. Events of users without a core are in train.
-- In: outside_events.  Out: view split_outside; columns as in split_events, see 61_split_user_time.sql.
CREATE OR REPLACE TEMP VIEW split_outside AS
SELECT user_id, movie_id, preference, written_time(timestamp, position) AS timestamp, position, timestamp AS ticks,
       CASE WHEN n IS NULL OR least(position, n - 1) < n_train(n) THEN 'train'
            WHEN least(position, n - 1) < n_train(n) + n_val(n) THEN 'val'
            ELSE 'test' END AS split
FROM outside_events;
