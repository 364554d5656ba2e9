-- Makes room for swipes of any user and movie.
-- In: table ratings of 21_ratings_narrow.sql.  Out: the same table in the width of 21_ratings_numbers.sql.
ALTER TABLE ratings ALTER user_id TYPE BIGINT;

ALTER TABLE ratings ALTER movie_id TYPE BIGINT;

ALTER TABLE ratings ALTER timestamp TYPE BIGINT;
