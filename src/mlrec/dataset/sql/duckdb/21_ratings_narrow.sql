-- The same as 21_ratings_numbers.sql, in half of the width: fails, or rejects the row, if an id or a time in seconds does not fit
-- into 32 bits. The sort needs the memory.
-- In: view rating_numbers.  Out: table ratings, as in 21_ratings_numbers.sql.
CREATE OR REPLACE TABLE ratings AS
SELECT CAST(shifted(user_id) AS INTEGER) AS user_id,
       CAST(movie_id AS INTEGER) AS movie_id,
       TRY_CAST(rating AS DOUBLE) AS rating,
       CAST(timestamp AS UINTEGER) AS timestamp,
       CAST(least(strlen(rating), 255) AS UTINYINT) AS rating_length
FROM rating_numbers;
