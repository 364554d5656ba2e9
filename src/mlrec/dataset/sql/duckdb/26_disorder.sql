-- Whether the ratings of each user stand together, in strictly ascending order of movies, as in MovieLens. If so, there are no
-- duplicates, and the search for them can be skipped.
-- In: table ratings.
-- Out: view disorder(is_out_of_order, user_runs): whether a rating comes after one of the same user and movie or a later movie; and
-- the number of places where another user begins.
CREATE OR REPLACE VIEW disorder AS
SELECT count(CASE WHEN user_id = user_before AND movie_id <= movie_before THEN 1 END) > 0 AS is_out_of_order,
       count(CASE WHEN user_id IS DISTINCT FROM user_before THEN 1 END) AS user_runs
FROM (SELECT user_id, movie_id, lag(user_id) OVER () AS user_before, lag(movie_id) OVER () AS movie_before FROM ratings);
