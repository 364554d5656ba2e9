-- Second half of a round: users with too few ratings of the remaining movies go, and movies lose their ratings.
-- In: tables ratings, core_users, core_movies; variable min_user_ratings.  Out: tables core_users, core_movies.
CREATE OR REPLACE TABLE leaving AS SELECT user_id FROM core_users WHERE n < getvariable('min_user_ratings');

DELETE FROM core_users WHERE n < getvariable('min_user_ratings');

UPDATE core_movies SET n = n - lost
FROM (SELECT movie_id, count(*) AS lost FROM ratings SEMI JOIN leaving USING (user_id) GROUP BY movie_id) AS losses
WHERE core_movies.movie_id = losses.movie_id;
