-- One split with text ids to Parquet. With many rows in a group, each text is written once for many rows: a quarter of the time.
-- In: view split_events; parameters split, path.  Out: a file.
COPY (SELECT user_id, movie_id, preference, timestamp FROM split_events WHERE split = $split)
TO $path (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 500000);
