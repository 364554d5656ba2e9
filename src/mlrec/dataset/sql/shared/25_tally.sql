-- The number of ratings of each user and movie. This gives the counts after a step, and the core filter begins with it.
-- In: ratings.
-- Out: views new_core_users(user_id, n) and new_core_movies(movie_id, n), n = ratings within the core so far; both are kept.
CREATE OR REPLACE TEMP VIEW new_core_users AS SELECT user_id, count(*) AS n FROM ratings GROUP BY user_id;

CREATE OR REPLACE TEMP VIEW new_core_movies AS SELECT movie_id, count(*) AS n FROM ratings GROUP BY movie_id;
