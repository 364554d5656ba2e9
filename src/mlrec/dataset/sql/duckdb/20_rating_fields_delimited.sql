-- The ratings file as fields: the quick way, which knows neither line numbers nor the text of a row, nor quotes.
-- In: variable ratings_file (path, delimiter, header_lines, columns: name and type of each column in order).
-- Out: view rating_fields(user_id, movie_id, rating, timestamp), all text. A row that cannot be cut lands in reject_errors,
-- where one is enough: 24_ratings_by_row.sql then judges everything again and names them all.
-- Text, not numbers: DuckDB's own casts take "1_23" for 123 and "3.7" for movie 4.
CREATE VIEW rating_fields AS
SELECT user_id, movie_id, rating, timestamp
FROM read_csv(getvariable('ratings_file').path, columns = getvariable('ratings_file').columns,
              delim = getvariable('ratings_file').delimiter, quote = '', escape = '', header = false,
              skip = getvariable('ratings_file').header_lines, auto_detect = false, hive_partitioning = false,
              store_rejects = true, rejects_limit = 1);
