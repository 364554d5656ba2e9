-- A ratings.parquet as text.
-- In: variable ratings_file (path).
-- Out: view split_rows(line, text, width, user_id, movie_id, rating, timestamp), all fields text.
CREATE OR REPLACE VIEW split_rows AS
WITH source AS (
    SELECT file_row_number + 1 AS line, {selected}
    FROM read_parquet(getvariable('ratings_file').path, file_row_number = true, hive_partitioning = false) AS raw
)
SELECT line,
       concat_ws(',', coalesce(user_id, ''), coalesce(movie_id, ''), coalesce(rating, ''), coalesce(timestamp, '')) AS text,
       getvariable('ratings_file').width AS width, user_id, movie_id, rating, timestamp
FROM source;
