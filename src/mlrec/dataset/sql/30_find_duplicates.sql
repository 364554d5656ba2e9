-- Pairs of user and movie that were rated more than once.
-- In: table ratings.  Out: table repeated(user_id, movie_id), mostly empty.
CREATE TEMP TABLE repeated AS
SELECT user_id, movie_id FROM ratings GROUP BY user_id, movie_id HAVING count(*) > 1;
