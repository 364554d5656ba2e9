-- The ratings file as text, one row per line: ratings.csv, ratings.dat, u.data.
-- In: table raw_lines; variable ratings_file (delimiter, width, fields: position of each column).
-- Out: view split_rows(line, text, width, user_id, movie_id, rating, timestamp), all fields text.
CREATE OR REPLACE VIEW split_rows AS
SELECT line, text, width,
       id_field(fields[getvariable('ratings_file').fields.user_id], getvariable('ratings_file').skip_blanks) AS user_id,
       id_field(fields[getvariable('ratings_file').fields.movie_id], getvariable('ratings_file').skip_blanks) AS movie_id,
       CASE WHEN getvariable('ratings_file').fields.rating = 0 THEN '1'
            ELSE trim(fields[getvariable('ratings_file').fields.rating]) END AS rating,
       trim(fields[getvariable('ratings_file').fields.timestamp]) AS timestamp
FROM rows_of('ratings_file');
