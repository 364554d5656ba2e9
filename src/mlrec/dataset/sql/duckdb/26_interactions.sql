-- Interactions with the same movie as one like, a strong one from a certain sum of the amounts on. Its time is that of the latest.
-- In: table ratings, where rating is an amount; variable strong_from: the sum, or NULL for twice the median of all sums.
-- Out: table ratings, where rating is 1 for a like and 2 for a strong one; table threshold(strong_from).
CREATE OR REPLACE TEMP TABLE sums AS
SELECT user_id, movie_id, sum(rating) AS amount, max(timestamp) AS timestamp FROM ratings GROUP BY user_id, movie_id;

CREATE OR REPLACE TEMP TABLE threshold AS
SELECT coalesce(getvariable('strong_from'), 2 * median(amount)) AS strong_from FROM sums;

CREATE OR REPLACE TABLE ratings AS
SELECT user_id, movie_id, CASE WHEN amount >= strong_from THEN 2.0::DOUBLE ELSE 1.0::DOUBLE END AS rating, timestamp
FROM sums, threshold;

DROP TABLE sums;
