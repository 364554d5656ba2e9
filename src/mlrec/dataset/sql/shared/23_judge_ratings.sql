-- What is wrong with each row of the ratings file, if anything.
-- In: views rating_rows(line, text, width, user_id, movie_id, rating, timestamp), all fields text, and movies.
-- Out: view judged_ratings(user_id, movie_id, rating, timestamp, line, text, reason); text is set only if there is a reason. The
-- timestamp is in the units of the clock.
CREATE OR REPLACE TEMP VIEW judged_ratings AS
WITH typed AS (
    SELECT line, text, width, user_id AS user_text, movie_id AS movie_text, rating AS rating_text,
           timestamp AS timestamp_text,
           user_key(user_id) AS user_id,
           movie_key(movie_id) AS movie_id,
           decimal_number(rating) AS rating,
           ticks_of(timestamp) AS timestamp
    FROM rating_rows
), looked_up AS (
    SELECT *, movie_id IN (SELECT movie_id FROM movies) AS is_listed, is_on_scale(rating) AS is_on_scale FROM typed
), known AS (
    SELECT *, is_listed OR NOT has_catalogue() AS is_known FROM looked_up
), judged AS (
    SELECT *,
           CASE WHEN width = ratings_width()
                     AND user_id IS NOT NULL AND movie_id IS NOT NULL AND is_known
                     AND is_on_scale AND timestamp_in_range(seconds_of(timestamp))
                    THEN NULL  -- nearly all rows; the checks below run only for the others
                WHEN width = -2 THEN 'not a JSON object'
                WHEN width < 0 THEN 'unclosed quote'
                WHEN width < ratings_width() THEN 'missing field'
                WHEN width > ratings_width() THEN 'too many fields'
                ELSE coalesce(
                    user_fault(user_text),
                    movie_fault(movie_text),
                    CASE WHEN rating_text IS NULL OR rating_text = '' THEN 'empty rating'
                         WHEN rating IS NULL OR isnan(rating) THEN 'unparsable rating'
                         WHEN NOT is_on_scale THEN 'rating out of range'
                         WHEN NOT timestamp_in_range(seconds_of(timestamp)) THEN 'timestamp out of range'
                         WHEN timestamp IS NOT NULL THEN CASE WHEN NOT is_known THEN 'unknown movie' END
                         WHEN timestamp_text IS NULL OR timestamp_text = '' THEN 'empty timestamp'
                         WHEN id_fault(timestamp_text, '') = ' beyond int64' THEN 'timestamp out of range'
                         ELSE 'unparsable timestamp' END) END AS reason
    FROM known
)
SELECT user_id, movie_id, rating, timestamp, line, CASE WHEN reason IS NOT NULL THEN text END AS text, reason
FROM judged;
