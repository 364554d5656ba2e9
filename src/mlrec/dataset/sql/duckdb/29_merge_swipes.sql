-- Swipes replace earlier ratings; a skip only removes them. A swipe's rating is the upper end of its bucket, so that
-- 50_preferences.sql returns exactly its preference for any cut-points.
-- In: tables ratings, judged_swipes; variables preferences, scale.  Out: table ratings with the swipes.
-- A swipe with one of these fates has no later rating of the same movie, so all of the user's ratings of that movie are removed.
DELETE FROM ratings USING judged_swipes AS swipes
WHERE ratings.user_id = swipes.user_id AND ratings.movie_id = swipes.movie_id AND swipes.fate IN ('merged', 'skip');

INSERT INTO ratings (user_id, movie_id, rating, timestamp)
SELECT user_id, movie_id,
       list_append(getvariable('scale').cut_points, getvariable('scale').top)[list_position(getvariable('preferences'), preference)],
       ticks_of_seconds(timestamp)
FROM judged_swipes WHERE fate = 'merged';
