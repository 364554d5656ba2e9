-- How many ratings each user and movie has. What is left after a step is counted here, and the core filter begins with it.
-- In: ratings.
-- Out: views new_core_users(user_id, n) and new_core_movies(movie_id, n), n = ratings within the core so far; both are kept.
CREATE OR REPLACE TEMP VIEW new_core_users AS SELECT user_id, count(*) AS n FROM ratings GROUP BY user_id;

CREATE OR REPLACE TEMP VIEW new_core_movies AS SELECT movie_id, count(*) AS n FROM ratings GROUP BY movie_id;
