-- How many ratings each user and movie has. What is left after a step is counted here, and the core filter begins with it.
-- In: table ratings.  Out: tables core_users(user_id, n), core_movies(movie_id, n), n = ratings within the core so far.
CREATE OR REPLACE TABLE core_users AS SELECT user_id, count(*) AS n FROM ratings GROUP BY user_id;
CREATE OR REPLACE TABLE core_movies AS SELECT movie_id, count(*) AS n FROM ratings GROUP BY movie_id;
