-- The events outside the core to Parquet, ordered by user, time and movie.
-- In: view split_outside; parameter path.  Out: a file.
COPY (
    SELECT user_id, movie_id, preference, timestamp, CAST(position AS INTEGER) AS position, split
    FROM split_outside ORDER BY user_id, position, ticks, movie_id
) TO $path (FORMAT parquet, COMPRESSION zstd);
