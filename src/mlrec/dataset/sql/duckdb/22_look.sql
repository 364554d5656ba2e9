-- What the values of some rows look like; see `mlrec.dataset.forms`.
-- In: nothing.  Out: table macro look_at(name): one row about the rows of the view or table of that name.
CREATE OR REPLACE MACRO look_at(name) AS TABLE
SELECT count(nullif(user_id, '')) AS given_users, coalesce(count_if(is_whole(user_id)), 0) AS whole_users,
       min(CASE WHEN is_whole(user_id) THEN user_id END) AS number_user,
       min(CASE WHEN user_id <> '' AND NOT is_whole(user_id) THEN user_id END) AS text_user,
       count(nullif(movie_id, '')) AS given_movies, coalesce(count_if(is_whole(movie_id)), 0) AS whole_movies,
       min(CASE WHEN is_whole(movie_id) THEN movie_id END) AS number_movie,
       min(CASE WHEN movie_id <> '' AND NOT is_whole(movie_id) THEN movie_id END) AS text_movie,
       coalesce(histogram(time_form(timestamp)), MAP {}) AS times,
       min(CASE WHEN time_form(timestamp) = 'other' THEN timestamp END) AS odd_time,
       coalesce(count_if(isfinite(TRY_CAST(rating AS DOUBLE)) AND NOT contains(rating, '_')), 0) AS numbers,
       count(yes_or_no(rating)) AS words
FROM query_table(name);
