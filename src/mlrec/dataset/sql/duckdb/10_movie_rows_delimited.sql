-- A file of movies as text, one row per line, such as movies.csv and movies.dat.
-- In: table raw_lines; variable movies_file (delimiter, width).
-- Out: view movie_rows(line, text, width, movie_id, title, genres, year, details), all fields text.
CREATE OR REPLACE VIEW movie_rows AS
SELECT line, text, width, {selected}
FROM rows_of('movies_file');
