-- One split to Parquet, in the order of the events.
-- In: view split_events; parameters split, path.  Out: a file.
COPY (SELECT user_id, movie_id, preference, timestamp FROM split_events WHERE split = $split)
TO $path (FORMAT parquet, COMPRESSION zstd);
