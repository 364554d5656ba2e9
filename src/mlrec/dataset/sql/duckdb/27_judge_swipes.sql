-- The fate of each standing swipe. Swipes of forgotten users are ignored.
-- In: tables swipes(user_id, movie_id, preference, timestamp, event_id), one row per user and movie, forgotten(user_id), movies,
-- ratings; variable preferences.
-- Out: table judged_swipes(user_id, movie_id, preference, timestamp, event_id, reason, fate), where fate is 'rejected',
-- 'outdated' (a later rating of the movie stands), 'skip' or 'merged'; adds to rejects, with the event id as the line.
CREATE TEMP TABLE judged_swipes AS
WITH rated AS (
    SELECT user_id, movie_id, max(timestamp) AS last_rated
    FROM ratings SEMI JOIN swipes USING (user_id, movie_id)
    GROUP BY user_id, movie_id
), faults AS (
    SELECT *,
           CASE WHEN preference <> 0 AND NOT list_contains(getvariable('preferences'), preference)
                    THEN 'preference out of range'
                WHEN NOT timestamp_in_range(timestamp) THEN 'timestamp out of range'
                WHEN movie_id NOT IN (SELECT movie_id FROM movies) THEN 'unknown movie' END AS reason
    FROM swipes ANTI JOIN forgotten USING (user_id)
)
SELECT user_id, movie_id, preference, timestamp, event_id, reason,
       CASE WHEN reason IS NOT NULL THEN 'rejected'
            WHEN last_rated > ticks_of_seconds(timestamp) THEN 'outdated'
            WHEN preference = 0 THEN 'skip'
            ELSE 'merged' END AS fate
FROM faults LEFT JOIN rated USING (user_id, movie_id);

INSERT INTO rejects
SELECT 'swipe log', event_id, concat_ws(',', user_id, movie_id, preference, timestamp), reason
FROM judged_swipes WHERE fate = 'rejected';
