-- The same as 21_ratings_typed.sql, for a file of numbers alone.
-- In: view rating_numbers.
-- Out: table ratings(user_id, movie_id, rating, timestamp, rating_length). rating_length is the length of the text, at most 255. A
-- rating with an underscore, which DuckDB's cast ignores, counts as one with a letter; see 20_rating_numbers_delimited.sql.
CREATE OR REPLACE TABLE ratings AS
SELECT shifted(user_id) AS user_id,
       movie_id,
       TRY_CAST(rating AS DOUBLE) AS rating,
       timestamp,
       CAST(least(strlen(rating), 255) AS UTINYINT) AS rating_length
FROM rating_numbers;
