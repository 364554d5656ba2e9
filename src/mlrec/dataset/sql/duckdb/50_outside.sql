-- The preferences outside the core: those on dropped movies, and those of dropped users. These are few, so they are looked for
-- rather than those that were kept.
-- In: view preferences; tables core_users, core_movies; tables rated_users and rated_movies, their rows before the filter.
-- Out: view new_outside(user_id, movie_id, preference, timestamp, n), kept as outside. n is the number of the user's events in the
-- core, NULL for a dropped user.
CREATE OR REPLACE TEMP VIEW dropped_movies AS SELECT movie_id FROM rated_movies ANTI JOIN core_movies USING (movie_id);

CREATE OR REPLACE TEMP VIEW dropped_users AS SELECT user_id FROM rated_users ANTI JOIN core_users USING (user_id);

CREATE OR REPLACE TEMP VIEW new_outside AS
SELECT user_id, movie_id, preference, timestamp, CAST(core_users.n AS INTEGER) AS n
FROM preferences SEMI JOIN dropped_movies USING (movie_id) LEFT JOIN core_users USING (user_id)
UNION ALL
SELECT user_id, movie_id, preference, timestamp, NULL AS n
FROM preferences SEMI JOIN dropped_users USING (user_id) ANTI JOIN dropped_movies USING (movie_id);
