-- First half of a round: movies with too few ratings by the remaining users go.
-- In: tables ratings, core_users, core_movies; variable min_movie_ratings.  Out: table core_movies.
CREATE OR REPLACE TABLE core_movies AS
SELECT movie_id, count(*) AS n
FROM ratings SEMI JOIN core_users USING (user_id) SEMI JOIN core_movies USING (movie_id)
GROUP BY movie_id
HAVING count(*) >= getvariable('min_movie_ratings');
