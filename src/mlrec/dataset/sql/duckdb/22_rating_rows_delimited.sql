-- The ratings file as text, one row per line: ratings.csv, ratings.dat, u.data.
-- In: table raw_lines; variable ratings_file (delimiter, width, fields: position of each column).
-- Out: view rating_rows(line, text, width, user_id, movie_id, rating, timestamp), all fields text.
CREATE VIEW rating_rows AS
SELECT line, text, width,
       fields[getvariable('ratings_file').fields.user_id] AS user_id,
       fields[getvariable('ratings_file').fields.movie_id] AS movie_id,
       fields[getvariable('ratings_file').fields.rating] AS rating,
       fields[getvariable('ratings_file').fields.timestamp] AS timestamp
FROM rows_of('ratings_file');
