-- The movie file as text, one row per line: movies.csv and movies.dat.
-- In: table raw_lines; variable movies_file (delimiter, width, fields: position of each column).
-- Out: view movie_rows(line, text, width, movie_id, title, genres); genres joined by '|'.
CREATE OR REPLACE VIEW movie_rows AS
SELECT line, text, width,
       fields[getvariable('movies_file').fields.movie_id] AS movie_id,
       fields[getvariable('movies_file').fields.title] AS title,
       fields[getvariable('movies_file').fields.genres] AS genres
FROM rows_of('movies_file');
