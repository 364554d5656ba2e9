-- A file of links as text, one row per line, such as links.csv.
-- In: table raw_lines; variable links_file (delimiter, width).
-- Out: view link_rows(line, text, width, movie_id, imdb_id, tmdb_id).
CREATE OR REPLACE VIEW link_rows AS
SELECT line, text, width, {selected}
FROM rows_of('links_file');
