-- Ratings, row by row: the slow way, taken only when the quick one met a row that it could not take. A text file comes in
-- blocks of rows, and this runs for each.
-- In: view judged_ratings; variable ratings_file (label).
-- Out: table ratings(user_id, movie_id, rating, timestamp, valid), which is made if need be and added to; adds to rejects;
-- table newly_judged, all rows.
CREATE OR REPLACE TEMP TABLE newly_judged AS FROM judged_ratings;

INSERT INTO rejects
SELECT getvariable('ratings_file').label, line, text, reason FROM newly_judged WHERE reason IS NOT NULL;

CREATE TABLE IF NOT EXISTS ratings (
    user_id BIGINT, movie_id BIGINT, rating DOUBLE, timestamp BIGINT, valid BOOLEAN
);

INSERT INTO ratings
SELECT user_id, movie_id, rating, timestamp, true FROM newly_judged WHERE reason IS NULL;
