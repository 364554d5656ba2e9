-- Before the first round of the core filter everybody is in.
-- In: table ratings.  Out: tables core_users(user_id, n), core_movies(movie_id, n), n = ratings within the core so far.
CREATE TABLE core_users AS SELECT user_id, count(*) AS n FROM ratings GROUP BY user_id;
CREATE TABLE core_movies AS SELECT movie_id, count(*) AS n FROM ratings GROUP BY movie_id;
