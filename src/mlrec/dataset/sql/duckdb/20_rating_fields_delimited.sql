-- The ratings file as fields: the quick way, without line numbers, without the text of a row and without quoting.
-- In: variable ratings_file (path, delimiter, header_lines, columns: name and type of each column in order).
-- Out: view rating_fields(user_id, movie_id, rating, timestamp), all text. A row that cannot be split goes to reject_errors.
-- One such row is enough: 24_ratings_by_row.sql then checks everything again and finds all bad rows.
-- Fields are text because DuckDB's own casts read "1_23" as 123 and "3.7" as movie 4.
CREATE VIEW rating_fields AS
SELECT user_id, movie_id, rating, timestamp
FROM read_csv(getvariable('ratings_file').path, columns = getvariable('ratings_file').columns,
              delim = getvariable('ratings_file').delimiter, quote = '', escape = '', header = false,
              skip = getvariable('ratings_file').header_lines, auto_detect = false, hive_partitioning = false,
              store_rejects = true, rejects_limit = 1);
