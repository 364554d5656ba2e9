-- A ratings.parquet as text.
-- In: variable ratings_file (path).
-- Out: view rating_rows(line, text, width, user_id, movie_id, rating, timestamp), all fields text.
CREATE VIEW rating_rows AS
WITH source AS (
    SELECT file_row_number + 1 AS line,
           field_text(COLUMNS('(?i)^user_?id$')) AS user_id,
           field_text(COLUMNS('(?i)^movie_?id$')) AS movie_id,
           CAST(COLUMNS('(?i)^rating$') AS VARCHAR) AS rating,
           field_text(COLUMNS('(?i)^timestamp$')) AS timestamp
    FROM read_parquet(getvariable('ratings_file').path, file_row_number = true, hive_partitioning = false)
)
SELECT line,
       concat_ws(',', coalesce(user_id, ''), coalesce(movie_id, ''), coalesce(rating, ''), coalesce(timestamp, '')) AS text,
       4 AS width, user_id, movie_id, rating, timestamp
FROM source;
