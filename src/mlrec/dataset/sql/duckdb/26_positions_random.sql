-- A hash of the seed and the ids orders events.
-- In: table ratings; variable random_seed.  Out: the same table.
UPDATE ratings
SET timestamp = CAST('0x' || left(md5(concat_ws(':', getvariable('random_seed'), user_id, movie_id)), 15) AS BIGINT);
