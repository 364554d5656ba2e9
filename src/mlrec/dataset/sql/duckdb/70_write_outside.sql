-- The events outside the core to Parquet, ordered by user, time and movie.
-- In: view split_outside; parameter path.  Out: a file.
COPY (
    SELECT CAST(user_id AS BIGINT) AS user_id, CAST(movie_id AS BIGINT) AS movie_id, preference, CAST(timestamp AS BIGINT) AS timestamp,
           CAST(position AS INTEGER) AS position, split
    FROM split_outside ORDER BY user_id, position, ticks, movie_id
) TO $path (FORMAT parquet, COMPRESSION zstd);
