-- One split to Parquet, in the order of the events.
-- In: view split_events; parameters split, path.  Out: a file.
COPY (
    SELECT CAST(user_id AS BIGINT) AS user_id, CAST(movie_id AS BIGINT) AS movie_id, preference, CAST(timestamp AS BIGINT) AS timestamp
    FROM split_events WHERE split = $split
) TO $path (FORMAT parquet, COMPRESSION zstd);
