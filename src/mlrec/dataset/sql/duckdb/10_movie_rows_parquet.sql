-- A movies.parquet with the columns of movies.csv; genres may be text joined by '|' or a list.
-- In: variable movies_file (path).
-- Out: view movie_rows(line, text, width, movie_id, title, genres); line is the row's number, counted from 1.
CREATE OR REPLACE VIEW movie_rows AS
WITH source AS (
    SELECT file_row_number + 1 AS line,
           field_text(COLUMNS('(?i)^movie_?id$')) AS movie_id,
           CAST(COLUMNS('(?i)^title$') AS VARCHAR) AS title,
           -- Text is not a list. If it looks like one, the cast gives NULL.
           coalesce(array_to_string(TRY_CAST(COLUMNS('(?i)^genres$') AS VARCHAR[]), '|'),
                    CAST(COLUMNS('(?i)^genres$') AS VARCHAR)) AS genres
    FROM read_parquet(getvariable('movies_file').path, file_row_number = true, hive_partitioning = false)
)
SELECT line, concat_ws(',', movie_id, title, genres) AS text, 3 AS width, movie_id, title, genres FROM source;
