-- The ratings file as numbers: the quick way, which knows neither line numbers nor the text of a row.
-- In: variable ratings_file (path, delimiter, header_lines, columns: name and type of each column in order).
-- Out: view rating_numbers(user_id, movie_id, rating, timestamp), all DOUBLE. A row that cannot be read lands in
-- reject_errors, where one is enough: 23_ratings_by_row.sql then reads everything again and names them all.
-- DOUBLE, not BIGINT: a cast of "3.7" to BIGINT would quietly give movie 4.
CREATE VIEW rating_numbers AS
SELECT user_id, movie_id, rating, timestamp
FROM read_csv(getvariable('ratings_file').path, columns = getvariable('ratings_file').columns,
              delim = getvariable('ratings_file').delimiter, quote = '', escape = '', header = false,
              skip = getvariable('ratings_file').header_lines, auto_detect = false, hive_partitioning = false,
              store_rejects = true, rejects_limit = 1);
