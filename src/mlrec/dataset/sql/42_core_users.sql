-- Second half of a round: users with too few ratings of the remaining movies go.
-- In: tables ratings, core_users, core_movies; variable min_user_ratings.  Out: table core_users.
CREATE OR REPLACE TABLE core_users AS
SELECT user_id, count(*) AS n
FROM ratings SEMI JOIN core_movies USING (movie_id) SEMI JOIN core_users USING (user_id)
GROUP BY user_id
HAVING count(*) >= getvariable('min_user_ratings');
