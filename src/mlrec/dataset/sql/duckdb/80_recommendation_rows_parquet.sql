-- A Parquet file of lists that another system made.
-- In: variable recommendations_file (path, width).
-- Out: view recommendation_rows(line, text, width, user_id, movie_id, rank, score), all fields text; line is the row's number, counted
-- from 1.
CREATE OR REPLACE VIEW recommendation_rows AS
WITH source AS (
    SELECT file_row_number + 1 AS line, {selected}
    FROM read_parquet(getvariable('recommendations_file').path, file_row_number = true, hive_partitioning = false) AS raw
)
SELECT line, concat_ws(',', user_id, movie_id, rank, score) AS text, getvariable('recommendations_file').width AS width,
       user_id, movie_id, rank, score
FROM source;
