-- Ratings, row by row: the slow way, taken only when 21_ratings_typed.sql met a bad row. It judges by the same rules.
-- In: view rating_rows; table movies; variables ratings_file (label, width), user_offset, max_rating.
-- Out: table ratings(user_id, movie_id, rating, timestamp, valid); adds to rejects.
CREATE TEMP TABLE judged_ratings AS
WITH typed AS (
    SELECT line, text, width, user_id AS user_text, movie_id AS movie_text, rating AS rating_text,
           timestamp AS timestamp_text,
           TRY_CAST(CAST(whole_number(user_id) AS HUGEINT) + getvariable('user_offset') AS BIGINT) AS user_id,
           whole_number(movie_id) AS movie_id,
           TRY_CAST(rating AS DOUBLE) AS rating,
           whole_number(timestamp) AS timestamp
    FROM rating_rows
), judged AS (
    SELECT *,
           CASE WHEN width = getvariable('ratings_file').width
                     AND user_id IS NOT NULL AND movie_id IN (SELECT movie_id FROM movies)
                     AND rating_in_range(rating, getvariable('max_rating')) AND timestamp_in_range(timestamp)
                    THEN NULL  -- nearly all of them; the others are asked in turn
                WHEN width < getvariable('ratings_file').width THEN 'missing field'
                WHEN width > getvariable('ratings_file').width THEN 'too many fields'
                ELSE coalesce(
                    id_fault(user_text, 'userId'),
                    CASE WHEN user_id IS NULL THEN 'userId beyond int64' END,
                    id_fault(movie_text, 'movieId'),
                    CASE WHEN rating_text IS NULL OR rating_text = '' THEN 'empty rating'
                         WHEN rating IS NULL OR isnan(rating) THEN 'unparsable rating'
                         WHEN NOT rating_in_range(rating, getvariable('max_rating')) THEN 'rating out of range'
                         WHEN timestamp_text IS NULL OR timestamp_text = '' THEN 'empty timestamp'
                         WHEN timestamp IS NOT NULL AND NOT timestamp_in_range(timestamp)
                             OR id_fault(timestamp_text, '') = ' beyond int64' THEN 'timestamp out of range'
                         WHEN timestamp IS NULL THEN 'unparsable timestamp'
                         WHEN movie_id NOT IN (SELECT movie_id FROM movies) THEN 'unknown movie' END) END AS reason
    FROM typed
)
SELECT user_id, movie_id, rating, timestamp, reason, line, CASE WHEN reason IS NOT NULL THEN text END AS text
FROM judged;

INSERT INTO rejects
SELECT getvariable('ratings_file').label, line, text, reason FROM judged_ratings WHERE reason IS NOT NULL;

CREATE TABLE ratings AS
SELECT user_id, movie_id, rating, timestamp, true AS valid FROM judged_ratings WHERE reason IS NULL;

DROP TABLE judged_ratings;
