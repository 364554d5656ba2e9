-- A ratings file of numbers alone: the quickest way, in which DuckDB's reader makes the numbers. Its casts also read "007", "1e2"
-- and "3.7", which the rules refuse. Each of these is longer than the number that it becomes, unless it has a letter. So if the
-- file has no letter, and as many characters as 21_length_of_numbers.sql expects, every field is a number in its usual form.
-- In: variable ratings_file, as in 20_rating_fields_delimited.sql; its numbers are the columns with their types.
-- Out: view rating_numbers(user_id, movie_id, rating, timestamp, rating_length). rating_length is the length of the text, at most 255.
-- A rating with an underscore, which DuckDB's cast ignores, counts as one with a letter.
CREATE OR REPLACE VIEW rating_numbers AS
SELECT shifted(user_id) AS user_id,
       movie_id,
       TRY_CAST(rating AS DOUBLE) AS rating,
       timestamp,
       CAST(least(strlen(rating), 255) AS UTINYINT) AS rating_length
FROM read_csv(getvariable('ratings_file').path, columns = getvariable('ratings_file').numbers,
              delim = getvariable('ratings_file').delimiter, quote = '', escape = '', header = false,
              skip = getvariable('ratings_file').header_lines, auto_detect = false, hive_partitioning = false,
              store_rejects = true, rejects_limit = 1);
