-- The same as 29_texts_users.sql and 29_texts_movies.sql together, in one pass.
CREATE TYPE user_texts AS ENUM (SELECT user_id FROM core_users ORDER BY user_id);

CREATE TYPE movie_texts AS ENUM (SELECT movie_id FROM core_movies ORDER BY movie_id);

CREATE OR REPLACE TABLE ratings AS
SELECT CAST(user_id AS user_texts) AS user_id, CAST(movie_id AS movie_texts) AS movie_id, rating, timestamp
FROM ratings;
