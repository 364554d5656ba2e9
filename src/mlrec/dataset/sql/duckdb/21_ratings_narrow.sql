-- The same as 21_ratings_numbers.sql, with ids and times of 32 bits, which leaves more memory to the sort. Fails at the first value
-- that does not fit. "| 0" keeps the casts out of DuckDB's reader, which would reject such rows one by one, and slowly.
-- In: view rating_numbers.  Out: table ratings, with its columns.
CREATE OR REPLACE TABLE ratings AS
SELECT CAST(user_id | 0 AS INTEGER) AS user_id, CAST(movie_id | 0 AS INTEGER) AS movie_id, rating,
       CAST(timestamp | 0 AS UINTEGER) AS timestamp, rating_length
FROM rating_numbers;
