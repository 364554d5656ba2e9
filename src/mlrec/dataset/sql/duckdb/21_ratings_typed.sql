-- Ratings if every row is good: one pass with the rules of 23_judge_ratings.sql, except for the scale, which is looked at afterwards.
-- Only 25_tally.sql shows whether their movies are known: a join here would cost as much as everything else, and would lose the
-- order of the rows, which 26_disorder.sql needs.
-- In: view rating_fields.
-- Out: table ratings(user_id, movie_id, rating, timestamp). If is_good does not hold for a row, or reject_errors has one, the caller
-- drops this table and uses 24_ratings_by_row.sql instead.
CREATE OR REPLACE TABLE ratings AS
SELECT user_key(user_id) AS user_id,
       movie_key(movie_id) AS movie_id,
       decimal_number(rating) AS rating,
       ticks_of(timestamp) AS timestamp
FROM rating_fields;
