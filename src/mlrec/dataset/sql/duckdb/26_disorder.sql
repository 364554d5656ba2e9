-- Whether the ratings of each user stand together, in strictly ascending order of movies, as in MovieLens. If so, there are no
-- duplicates, and the search for them can be skipped.
-- In: tables ratings, core_users.
-- Out: views out_of_order, empty if no rating comes after one of the same user and movie or a later movie; and user_runs(n), the
-- number of places where another user begins.
CREATE OR REPLACE VIEW out_of_order AS
SELECT 1
FROM (SELECT user_id, movie_id, lag(user_id) OVER () AS user_before, lag(movie_id) OVER () AS movie_before FROM ratings)
WHERE user_id = user_before AND movie_id <= movie_before;

CREATE OR REPLACE VIEW user_runs AS
SELECT count(*) AS n FROM (SELECT user_id, lag(user_id) OVER () AS user_before FROM ratings)
WHERE user_id IS DISTINCT FROM user_before;
