-- The movie file of MovieLens 100K, u.item: id | title | date | date | link | 19 genre flags.
-- In: table raw_lines; variables movies_file (delimiter, width), genre_names (the flags' names in order).
-- Out: view movie_rows(line, text, width, movie_id, title, genres, year, details); genres joined by '|'. The flag "unknown" is no
-- genre.
CREATE OR REPLACE VIEW movie_rows AS
SELECT line, text, width, fields[1] AS movie_id, fields[2] AS title,
       array_to_string(
           list_filter(getvariable('genre_names'), lambda name, i: fields[5 + i] = '1' AND name <> 'unknown'), '|')
           AS genres,
       CAST(NULL AS VARCHAR) AS year, CAST(NULL AS VARCHAR) AS details
FROM rows_of('movies_file');
