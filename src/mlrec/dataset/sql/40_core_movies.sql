-- First half of a round: movies with too few ratings by the remaining users go, and users lose what they rated of these.
-- In: tables ratings, core_users, core_movies; variable min_movie_ratings.  Out: tables core_movies, core_users.
CREATE OR REPLACE TABLE leaving AS SELECT movie_id FROM core_movies WHERE n < getvariable('min_movie_ratings');

DELETE FROM core_movies WHERE n < getvariable('min_movie_ratings');

UPDATE core_users SET n = n - lost
FROM (SELECT user_id, count(*) AS lost FROM ratings SEMI JOIN leaving USING (movie_id) GROUP BY user_id) AS losses
WHERE core_users.user_id = losses.user_id;
