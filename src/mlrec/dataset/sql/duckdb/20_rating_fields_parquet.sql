-- A Parquet file of ratings, as fields.
-- In: variable ratings_file (path).  Out: view rating_fields(user_id, movie_id, rating, timestamp), all text; a column that the file
-- lacks is NULL.
CREATE OR REPLACE VIEW rating_fields AS
SELECT {selected}
FROM read_parquet(getvariable('ratings_file').path, hive_partitioning = false) AS raw;
