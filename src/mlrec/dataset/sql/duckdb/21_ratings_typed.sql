-- Ratings if every row is good: one pass with the rules of 23_judge_ratings.sql. Only 25_tally.sql shows whether their movies are
-- known: a join here would cost as much as everything else, and would lose the order of the rows, which 26_disorder.sql needs.
-- In: view rating_fields.
-- Out: table ratings(user_id, movie_id, rating, timestamp, valid). If a row is not valid, or reject_errors has one, the caller
-- drops this table and uses 24_ratings_by_row.sql instead.
CREATE TABLE ratings AS
SELECT shifted(whole_number(user_id)) AS user_id,
       whole_number(movie_id) AS movie_id,
       decimal_number(rating) AS rating,
       whole_number(timestamp) AS timestamp,
       coalesce(shifted(whole_number(user_id)) IS NOT NULL AND whole_number(movie_id) IS NOT NULL
                AND rating_in_range(decimal_number(rating), max_rating())
                AND timestamp_in_range(whole_number(timestamp)), false) AS valid
FROM rating_fields;
