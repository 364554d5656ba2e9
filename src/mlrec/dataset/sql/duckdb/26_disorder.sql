-- Whether ratings are in strictly ascending order of user and movie, as in MovieLens. If so, there are no duplicates, and the
-- search for them can be skipped.
-- In: table ratings.  Out: view disorder, empty if the ratings are in order.
CREATE OR REPLACE VIEW disorder AS
SELECT 1
FROM (SELECT user_id, movie_id, lag(user_id) OVER () AS user_before, lag(movie_id) OVER () AS movie_before FROM ratings)
WHERE NOT (user_id > user_before OR user_id = user_before AND movie_id > movie_before);
