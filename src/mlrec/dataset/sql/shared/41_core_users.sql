-- Second half of a round: drops users with too few ratings of the remaining movies, and removes their ratings from movies' counts.
-- In: ratings, core_users, core_movies.
-- Out: views new_core_movies(movie_id, n) and new_core_users(user_id, n); both are kept, in this order.
CREATE OR REPLACE TEMP VIEW new_core_movies AS
SELECT movie_id, n - coalesce(lost, 0) AS n
FROM core_movies LEFT JOIN (
    SELECT movie_id, count(*) AS lost
    FROM ratings SEMI JOIN (SELECT user_id FROM core_users WHERE n < min_user_ratings()) AS leaving USING (user_id)
    GROUP BY movie_id
) AS losses USING (movie_id);

CREATE OR REPLACE TEMP VIEW new_core_users AS SELECT user_id, n FROM core_users WHERE n >= min_user_ratings();
