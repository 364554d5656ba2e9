-- The core's ratings as preferences in the total order (user, timestamp, movie): the one big sort.
-- In: tables ratings, core_users, core_movies; variables cut_points, preferences (of buckets 1 to 4).
-- Out: table events(user_id, movie_id, preference, timestamp, n, start): n = the user's events, start = rowid of the first one,
-- so that rowid - start is an event's position in its user's history and no step has to sort or join again.
CREATE TABLE events AS
WITH spans AS (
    SELECT user_id, CAST(n AS INTEGER) AS n, CAST(sum(n) OVER (ORDER BY user_id) - n AS BIGINT) AS start FROM core_users
)
SELECT user_id, movie_id,
       CAST(CASE WHEN rating <= getvariable('cut_points')[1] THEN getvariable('preferences')[1]
                 WHEN rating <= getvariable('cut_points')[2] THEN getvariable('preferences')[2]
                 WHEN rating <= getvariable('cut_points')[3] THEN getvariable('preferences')[3]
                 ELSE getvariable('preferences')[4] END AS TINYINT) AS preference,
       timestamp, n, start
FROM ratings SEMI JOIN core_movies USING (movie_id) JOIN spans USING (user_id)
ORDER BY user_id, timestamp, movie_id;

DROP TABLE ratings;
