-- Text ids as numbers in the order of the texts, which later steps sort and join as fast as whole numbers.
-- In: table ratings.  Out: the same table, where user_id is an enumeration.
CREATE TYPE user_texts AS ENUM (SELECT DISTINCT user_id FROM ratings ORDER BY user_id);

ALTER TABLE ratings ALTER user_id TYPE user_texts;
