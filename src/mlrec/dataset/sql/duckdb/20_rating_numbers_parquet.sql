-- A ratings.parquet with the columns of ratings.csv, as numbers.
-- In: variable ratings_file (path).  Out: view rating_numbers(user_id, movie_id, rating, timestamp), all DOUBLE.
CREATE VIEW rating_numbers AS
SELECT TRY_CAST(COLUMNS('(?i)^user_?id$') AS DOUBLE) AS user_id,
       TRY_CAST(COLUMNS('(?i)^movie_?id$') AS DOUBLE) AS movie_id,
       TRY_CAST(COLUMNS('(?i)^rating$') AS DOUBLE) AS rating,
       TRY_CAST(COLUMNS('(?i)^timestamp$') AS DOUBLE) AS timestamp
FROM read_parquet(getvariable('ratings_file').path, hive_partitioning = false);
