-- Widens ids and times to 64 bits, because swipes may have larger ones, and Spark has no others.
-- In: table ratings of 21_ratings_narrow.sql.  Out: the same table in the width of 21_ratings_numbers.sql.
ALTER TABLE ratings ALTER user_id TYPE BIGINT;

ALTER TABLE ratings ALTER movie_id TYPE BIGINT;

ALTER TABLE ratings ALTER timestamp TYPE BIGINT;
