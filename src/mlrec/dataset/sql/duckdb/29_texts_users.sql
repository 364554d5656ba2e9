-- Text ids as an enumeration in the order of the texts, which later steps sort and join as fast as whole numbers.
-- In: tables ratings, core_users.  Out: table ratings, where user_id is an enumeration.
CREATE TYPE user_texts AS ENUM (SELECT user_id FROM core_users ORDER BY user_id);

CREATE OR REPLACE TABLE ratings AS
SELECT CAST(user_id AS user_texts) AS user_id, movie_id, rating, timestamp FROM ratings;
