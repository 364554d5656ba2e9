-- Pairs of user and movie that were rated more than once.
-- In: ratings.  Out: view new_repeated(user_id, movie_id), usually empty; it is kept as repeated.
CREATE OR REPLACE TEMP VIEW new_repeated AS
SELECT user_id, movie_id FROM ratings GROUP BY user_id, movie_id HAVING count(*) > 1;
