-- How many characters the numbers of a file have if each is written in its usual form.
-- In: tables ratings, of 21_ratings_numbers.sql, core_users, core_movies; variable user_offset.
-- Out: view length_of_numbers(length), one row.
CREATE OR REPLACE TEMP VIEW length_of_numbers AS
SELECT users.length + movies.length + others.length AS length
FROM (SELECT sum(n * length(CAST(CAST(user_id AS HUGEINT) - getvariable('user_offset') AS VARCHAR))) AS length FROM core_users) AS users,
     (SELECT sum(n * length(CAST(movie_id AS VARCHAR))) AS length FROM core_movies) AS movies,
     -- Most times are those of the first two lines, for which nothing has to be written.
     (SELECT sum(rating_length + CASE WHEN timestamp BETWEEN 1000000000 AND 9999999999 THEN 10
                                      WHEN timestamp BETWEEN 100000000 AND 999999999 THEN 9
                                      ELSE length(CAST(timestamp AS VARCHAR)) END) AS length FROM ratings) AS others;
