-- A links.parquet with the columns of links.csv.
-- In: variable links_file (path).  Out: view link_rows(line, text, width, movie_id, imdb_id, tmdb_id).
CREATE OR REPLACE VIEW link_rows AS
WITH source AS (
    SELECT file_row_number + 1 AS line,
           field_text(COLUMNS('(?i)^movie_?id$')) AS movie_id,
           field_text(COLUMNS('(?i)^imdb_?id$')) AS imdb_id,
           field_text(COLUMNS('(?i)^tmdb_?id$')) AS tmdb_id
    FROM read_parquet(getvariable('links_file').path, file_row_number = true, hive_partitioning = false)
)
SELECT line, concat_ws(',', movie_id, imdb_id, tmdb_id) AS text, 3 AS width, movie_id, imdb_id, tmdb_id FROM source;
