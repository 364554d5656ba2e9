-- One opinion per user and movie: the latest, or the highest rating if timestamps are equal.
-- In: ratings, repeated.  Out: view new_standing(user_id, movie_id, rating, timestamp); it is kept as standing.
CREATE OR REPLACE TEMP VIEW new_standing AS
SELECT user_id, movie_id, max_by(rating, (timestamp, rating)) AS rating, max(timestamp) AS timestamp
FROM ratings SEMI JOIN repeated USING (user_id, movie_id)
GROUP BY user_id, movie_id;
