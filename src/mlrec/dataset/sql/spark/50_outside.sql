-- The preferences outside the core: those on dropped movies, and those of dropped users.
-- In: view preferences; core_users, core_movies.
-- Out: view new_outside(user_id, movie_id, preference, timestamp, n), kept as outside. n is the number of the user's events in the
-- core, NULL for a dropped user.
CREATE OR REPLACE TEMP VIEW new_outside AS
SELECT user_id, movie_id, preference, timestamp, CAST(core_users.n AS INTEGER) AS n
FROM preferences LEFT JOIN core_movies USING (movie_id) LEFT JOIN core_users USING (user_id)
WHERE core_movies.n IS NULL OR core_users.n IS NULL;
