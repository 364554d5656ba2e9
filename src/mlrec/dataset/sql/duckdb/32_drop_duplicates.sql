-- The standing ratings replace those of pairs that were rated more than once.
-- In: tables ratings, repeated, standing.  Out: table ratings without duplicates.
DELETE FROM ratings USING repeated
WHERE ratings.user_id = repeated.user_id AND ratings.movie_id = repeated.movie_id;

INSERT INTO ratings SELECT user_id, movie_id, rating, timestamp FROM standing;
