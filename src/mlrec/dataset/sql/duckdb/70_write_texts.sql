-- One split with text ids to Parquet. As enumerations, some values would be lost: with several threads, DuckDB 2.0 writes an empty
-- text for a value that occurs rarely. With more rows in a group, each text is written once for more rows.
-- In: view split_events; parameters split, path.  Out: a file.
COPY (
    SELECT written_user(user_id) AS user_id, written_movie(movie_id) AS movie_id, preference, timestamp
    FROM split_events WHERE split = $split
) TO $path (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 245760);
