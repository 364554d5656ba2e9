-- Rows that say that a movie was seen, without a rating, are no opinions.
-- In: table ratings; variable scale.  Out: table ratings without these rows; table unrated(n), their number.
CREATE OR REPLACE TEMP TABLE unrated AS SELECT count(*) AS n FROM ratings WHERE rating = unrated();

DELETE FROM ratings WHERE rating = unrated();
