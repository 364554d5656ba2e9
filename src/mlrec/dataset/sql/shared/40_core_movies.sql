-- First half of a round: drops movies with too few ratings by the remaining users, and removes their ratings from users' counts.
-- In: ratings, core_users, core_movies.
-- Out: views new_core_users(user_id, n) and new_core_movies(movie_id, n); both are kept, in this order.
CREATE OR REPLACE TEMP VIEW new_core_users AS
SELECT user_id, n - coalesce(lost, 0) AS n
FROM core_users LEFT JOIN (
    SELECT user_id, count(*) AS lost
    FROM ratings SEMI JOIN (SELECT movie_id FROM core_movies WHERE n < min_movie_ratings()) AS leaving USING (movie_id)
    GROUP BY user_id
) AS losses USING (user_id);

CREATE OR REPLACE TEMP VIEW new_core_movies AS SELECT movie_id, n FROM core_movies WHERE n >= min_movie_ratings();
