-- Like 51_events.sql, but a user's events of the same time get random positions, by the hash of duckdb/51_dealt_events.sql.
-- In: preferences, core_users, core_movies.
-- Out: view events, as in 51_events.sql.
CREATE OR REPLACE TEMP VIEW events AS
SELECT user_id, movie_id, preference, timestamp, position, position AS place, n_train(n) AS val_from,
       n_train(n) + n_val(n) AS test_from
FROM (
    SELECT user_id, movie_id, preference, timestamp, n,
           row_number() OVER (
               PARTITION BY user_id
               ORDER BY seconds_of(timestamp), md5(concat_ws(':', random_seed(), user_id, movie_id))
           ) - 1 AS position
    FROM (
        SELECT /*+ REPARTITION_BY_RANGE(user_id) */ user_id, movie_id, preference, timestamp, n
        FROM preferences SEMI JOIN core_movies USING (movie_id) JOIN core_users USING (user_id)
    )
);
