-- A Parquet file of movies; genres may be text or a list.
-- In: variable movies_file (path, width).
-- Out: view movie_rows(line, text, width, movie_id, title, genres, year, details), all fields text; line is the row's number,
-- counted from 1.
CREATE OR REPLACE VIEW movie_rows AS
WITH source AS (
    SELECT file_row_number + 1 AS line, {selected}
    FROM read_parquet(getvariable('movies_file').path, file_row_number = true, hive_partitioning = false) AS raw
)
SELECT line, concat_ws(',', movie_id, title, genres) AS text, getvariable('movies_file').width AS width, movie_id, title, genres,
       year, details
FROM source;
