-- Ratings, row by row: the slow way, used only if the quick way found a row that it cannot read. A text file comes in blocks of
-- rows; this step runs once per block.
-- In: view judged_ratings; variable ratings_file (label).
-- Out: adds to table ratings(user_id, movie_id, rating, timestamp), which is created if needed; adds to rejects; table
-- newly_judged, all rows of the block. Rows keep the order of the file, which several threads would lose.
CREATE OR REPLACE TEMP TABLE newly_judged AS FROM judged_ratings;

INSERT INTO rejects
SELECT getvariable('ratings_file').label, line, text, reason FROM newly_judged WHERE reason IS NOT NULL;

CREATE TABLE IF NOT EXISTS ratings AS
SELECT user_id, movie_id, rating, timestamp FROM newly_judged LIMIT 0;

INSERT INTO ratings
SELECT user_id, movie_id, rating, timestamp FROM newly_judged WHERE reason IS NULL ORDER BY line;
