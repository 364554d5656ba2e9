-- A Parquet file of links.
-- In: variable links_file (path, width).  Out: view link_rows(line, text, width, movie_id, imdb_id, tmdb_id).
CREATE OR REPLACE VIEW link_rows AS
WITH source AS (
    SELECT file_row_number + 1 AS line, {selected}
    FROM read_parquet(getvariable('links_file').path, file_row_number = true, hive_partitioning = false) AS raw
)
SELECT line, concat_ws(',', movie_id, imdb_id, tmdb_id) AS text, getvariable('links_file').width AS width, movie_id, imdb_id, tmdb_id
FROM source;
