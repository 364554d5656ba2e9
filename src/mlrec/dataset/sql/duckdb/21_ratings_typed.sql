-- Ratings, if every row is good: one pass. Whether their movies are known is asked of 24_tally.sql: a join here would cost as
-- much as all else, and DuckDB would lose the order of the rows, which 25_disorder.sql needs.
-- In: view rating_numbers; variables user_offset, max_rating.
-- Out: table ratings(user_id, movie_id, rating, timestamp, valid). With a row that is not valid, or one in reject_errors, the
-- caller drops this table and takes 23_ratings_by_row.sql instead.
CREATE TABLE ratings AS
SELECT CASE WHEN is_exact(user_id) THEN CAST(user_id AS BIGINT) END + getvariable('user_offset') AS user_id,
       TRY_CAST(movie_id AS BIGINT) AS movie_id,
       rating,
       TRY_CAST(timestamp AS BIGINT) AS timestamp,
       coalesce(is_exact(user_id) AND is_exact(movie_id) AND is_exact(timestamp)
                AND rating_in_range(rating, getvariable('max_rating')) AND timestamp_in_range(timestamp), false) AS valid
FROM rating_numbers;
