-- Which types the sort needs, if the ids are whole numbers.
-- In: tables ratings, core_users; tables rated_users and rated_movies, their rows before the filter.
-- Out: view widths(narrow_ids, narrow_times), one row: whether the ids and the number of events, and the times, fit into 32 bits, also
-- of events outside the core.
CREATE OR REPLACE TEMP VIEW widths AS
SELECT coalesce(least(users.first, movies.first) >= -2147483648 AND greatest(users.last, movies.last, core.n) <= 2147483647, false)
           AS narrow_ids,
       coalesce(times.first >= 0 AND times.last <= 4294967295, false) AS narrow_times
FROM (SELECT min(user_id) AS first, max(user_id) AS last FROM rated_users) AS users,
     (SELECT min(movie_id) AS first, max(movie_id) AS last FROM rated_movies) AS movies,
     (SELECT sum(n) AS n FROM core_users) AS core,
     (SELECT min(timestamp) AS first, max(timestamp) AS last FROM ratings) AS times;
