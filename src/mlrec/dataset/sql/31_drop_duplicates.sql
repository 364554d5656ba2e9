-- One opinion a user and movie: the latest stands, on equal timestamps the higher rating.
-- In: tables ratings, repeated.  Out: table ratings without duplicates.
CREATE TEMP TABLE standing AS
SELECT user_id, movie_id, arg_max(rating, (timestamp, rating)) AS rating, max(timestamp) AS timestamp
FROM ratings SEMI JOIN repeated USING (user_id, movie_id)
GROUP BY user_id, movie_id;

DELETE FROM ratings USING repeated
WHERE ratings.user_id = repeated.user_id AND ratings.movie_id = repeated.movie_id;

INSERT INTO ratings SELECT user_id, movie_id, rating, timestamp, true FROM standing;
