-- The same as 70_write_outside.sql, with text ids; see 70_write_texts.sql.
-- In: view split_outside; parameter path.  Out: a file.
COPY (
    SELECT written_user(user_id) AS user_id, written_movie(movie_id) AS movie_id, preference, timestamp,
           CAST(position AS INTEGER) AS position, split
    FROM split_outside ORDER BY user_id, position, ticks, movie_id
) TO $path (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 245760);
