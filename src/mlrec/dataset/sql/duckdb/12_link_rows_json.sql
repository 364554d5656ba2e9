-- A file of links with an object of JSON in each line.
-- In: table raw_lines; variable links_file (width).
-- Out: view link_rows(line, text, width, movie_id, imdb_id, tmdb_id); a width of -2 says that the line is no object.
CREATE OR REPLACE VIEW link_rows AS
WITH documents AS (
    SELECT line, text, is_object(text) AS is_object, CASE WHEN is_object(text) THEN text ELSE '{}' END AS document
    FROM raw_lines WHERE trim(text) <> ''
)
SELECT line, text, CASE WHEN is_object THEN getvariable('links_file').width ELSE -2 END AS width, {selected}
FROM documents;
