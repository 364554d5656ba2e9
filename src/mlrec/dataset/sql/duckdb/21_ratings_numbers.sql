-- The same as 21_ratings_typed.sql, for a file of numbers alone.
-- In: view rating_numbers.
-- Out: table ratings(user_id, movie_id, rating, timestamp, rating_length, valid). rating_length is the length of the text, at most
-- 255.
CREATE OR REPLACE TABLE ratings AS
SELECT shifted(user_id) AS user_id,
       movie_id,
       decimal_number(rating) AS rating,
       timestamp,
       CAST(least(strlen(rating), 255) AS UTINYINT) AS rating_length,
       coalesce(shifted(user_id) IS NOT NULL AND movie_id IS NOT NULL AND isfinite(decimal_number(rating))
                AND timestamp_in_range(seconds_of(timestamp)), false) AS valid
FROM rating_numbers;
