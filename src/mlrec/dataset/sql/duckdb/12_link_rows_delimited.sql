-- links.csv as text, one row per line.
-- In: table raw_lines; variable links_file (delimiter, width, fields: position of each column).
-- Out: view link_rows(line, text, width, movie_id, imdb_id, tmdb_id).
CREATE OR REPLACE VIEW link_rows AS
SELECT line, text, width,
       fields[getvariable('links_file').fields.movie_id] AS movie_id,
       trim(fields[getvariable('links_file').fields.imdb_id]) AS imdb_id,
       trim(fields[getvariable('links_file').fields.tmdb_id]) AS tmdb_id
FROM rows_of('links_file');
