-- A ratings.parquet with the columns of ratings.csv, as fields.
-- In: variable ratings_file (path).  Out: view rating_fields(user_id, movie_id, rating, timestamp), all text.
CREATE VIEW rating_fields AS
SELECT field_text(COLUMNS('(?i)^user_?id$')) AS user_id,
       field_text(COLUMNS('(?i)^movie_?id$')) AS movie_id,
       CAST(COLUMNS('(?i)^rating$') AS VARCHAR) AS rating,
       field_text(COLUMNS('(?i)^timestamp$')) AS timestamp
FROM read_parquet(getvariable('ratings_file').path, hive_partitioning = false);
