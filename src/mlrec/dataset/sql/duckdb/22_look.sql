-- What the values of some rows look like; see `mlrec.dataset.forms`. Each column names a macro once, because DuckDB plans a macro
-- each time it is named.
-- In: nothing.  Out: table macro look_at(name): one row about the rows of the view or table of that name.
CREATE OR REPLACE MACRO look_at(name) AS TABLE
SELECT count(nullif(user_id, '')) AS given_users, coalesce(count_if(user_is_whole), 0) AS whole_users,
       min(CASE WHEN user_is_whole THEN user_id END) AS number_user,
       min(CASE WHEN user_id <> '' AND NOT user_is_whole THEN user_id END) AS text_user,
       count(nullif(movie_id, '')) AS given_movies, coalesce(count_if(movie_is_whole), 0) AS whole_movies,
       min(CASE WHEN movie_is_whole THEN movie_id END) AS number_movie,
       min(CASE WHEN movie_id <> '' AND NOT movie_is_whole THEN movie_id END) AS text_movie,
       coalesce(histogram(time), MAP {}) AS times,
       min(CASE WHEN time = 'other' THEN timestamp END) AS odd_time,
       coalesce(count_if(isfinite(TRY_CAST(rating AS DOUBLE)) AND NOT contains(rating, '_')), 0) AS numbers,
       count(yes_or_no(rating)) AS words
FROM (
    SELECT user_id, movie_id, rating, timestamp, is_whole(user_id) AS user_is_whole, is_whole(movie_id) AS movie_is_whole,
           time_form(timestamp) AS time
    FROM query_table(name)
);
