-- Ratings, row by row: the slow way, taken only when 21_ratings_typed.sql met a bad row. It judges by the same rules.
-- In: view judged_ratings; variable ratings_file (label).
-- Out: table ratings(user_id, movie_id, rating, timestamp, valid); adds to rejects.
CREATE TEMP TABLE all_judged_ratings AS FROM judged_ratings;

INSERT INTO rejects
SELECT getvariable('ratings_file').label, line, text, reason FROM all_judged_ratings WHERE reason IS NOT NULL;

CREATE TABLE ratings AS
SELECT user_id, movie_id, rating, timestamp, true AS valid FROM all_judged_ratings WHERE reason IS NULL;

DROP TABLE all_judged_ratings;
