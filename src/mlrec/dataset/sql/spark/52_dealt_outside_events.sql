-- Like 52_outside_events.sql, with events of the same time in the order of 51_dealt_events.sql.
-- In: outside, view events.
-- Out: view new_outside_events, kept as outside_events; columns as in duckdb/52_outside_events.sql.
CREATE OR REPLACE TEMP VIEW new_outside_events AS
SELECT user_id, movie_id, preference, timestamp, n, CASE WHEN n IS NULL THEN -1 ELSE position END AS position
FROM (
    SELECT user_id, movie_id, preference, timestamp, n, is_outside,
           CAST(count_if(NOT is_outside) OVER (
               PARTITION BY user_id
               ORDER BY seconds_of(timestamp), md5(concat_ws(':', random_seed(), user_id, movie_id)) ROWS UNBOUNDED PRECEDING
           ) AS INT) AS position
    FROM (
        SELECT user_id, movie_id, preference, timestamp, n, true AS is_outside FROM outside
        UNION ALL
        SELECT user_id, movie_id, preference, timestamp, NULL AS n, false AS is_outside FROM events SEMI JOIN outside USING (user_id)
    )
)
WHERE is_outside;
