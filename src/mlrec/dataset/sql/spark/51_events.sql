-- The core's preferences in the total order (user, timestamp, movie). Users are partitioned by range, so that the part files follow
-- each other. Each part is sorted by the columns that the window needs anyway.
-- In: preferences, core_users, core_movies.
-- Out: view events(user_id, movie_id, preference, timestamp, position, place, val_from, test_from), as in duckdb/51_events.sql, except
-- that places are counted per user.
CREATE OR REPLACE TEMP VIEW events AS
SELECT user_id, movie_id, preference, timestamp, position, position AS place, n_train(n) AS val_from,
       n_train(n) + n_val(n) AS test_from
FROM (
    SELECT user_id, movie_id, preference, timestamp, n,
           row_number() OVER (PARTITION BY user_id ORDER BY timestamp, movie_id) - 1 AS position
    FROM (
        SELECT /*+ REPARTITION_BY_RANGE(user_id) */ user_id, movie_id, preference, timestamp, n
        FROM preferences SEMI JOIN core_movies USING (movie_id) JOIN core_users USING (user_id)
    )
);
