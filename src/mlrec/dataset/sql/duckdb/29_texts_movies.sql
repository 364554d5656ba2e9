-- The same as 29_texts_users.sql, for movies.
CREATE TYPE movie_texts AS ENUM (SELECT movie_id FROM core_movies ORDER BY movie_id);

CREATE OR REPLACE TABLE ratings AS
SELECT user_id, CAST(movie_id AS movie_texts) AS movie_id, rating, timestamp FROM ratings;
