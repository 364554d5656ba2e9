-- Like 51_events.sql, but a user's events of the same time get their positions at random: by a hash of the seed and the ids.
-- Only the split uses the position; the rows stay in the total order.
-- In: view preferences; tables ratings, core_users, core_movies; variable random_seed.
-- Out: table sorted_events and view events, as in 51_events.sql, except that places are counted per user.
CREATE TABLE sorted_events AS
SELECT user_id, movie_id, preference, timestamp, CAST(n AS INTEGER) AS n,
       row_number() OVER (
           PARTITION BY user_id
           ORDER BY seconds_of(timestamp), md5(concat_ws(':', getvariable('random_seed'), user_id, movie_id))
       ) - 1 AS position
FROM preferences SEMI JOIN core_movies USING (movie_id) JOIN core_users USING (user_id)
ORDER BY user_id, timestamp, movie_id;

DROP TABLE ratings;

CREATE VIEW events AS
SELECT user_id, movie_id, preference, timestamp, position, position AS place, n_train(n) AS val_from,
       n_train(n) + n_val(n) AS test_from
FROM sorted_events;
