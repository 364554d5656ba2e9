-- The ratings file as fields: the quick way, without line numbers and without the text of a row.
-- In: variable ratings_file (path, delimiter, quote, header_lines, columns: name and type of each column in order).
-- Out: view rating_fields(user_id, movie_id, rating, timestamp), all text; a column that the file lacks is NULL. A row that cannot
-- be split goes to reject_errors. One such row is enough: 24_ratings_by_row.sql then checks everything again and finds all bad rows.
-- Fields are text because DuckDB's own casts read "1_23" as 123 and "3.7" as movie 4.
CREATE OR REPLACE VIEW rating_fields AS
SELECT {selected}
FROM read_csv(getvariable('ratings_file').path, columns = getvariable('ratings_file').columns,
              delim = getvariable('ratings_file').delimiter, quote = getvariable('ratings_file').quote,
              escape = getvariable('ratings_file').quote, header = false,
              skip = getvariable('ratings_file').header_lines, auto_detect = false, hive_partitioning = false,
              store_rejects = true, rejects_limit = 1);
