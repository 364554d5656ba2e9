-- Removes the ratings of users who asked to be forgotten.
-- In: tables ratings, forgotten(user_id).  Out: table ratings without those of forgotten users; table gone(user_id), the forgotten
-- users who had ratings.
CREATE TEMP TABLE gone AS SELECT user_id FROM forgotten SEMI JOIN ratings USING (user_id);

DELETE FROM ratings USING gone WHERE ratings.user_id = gone.user_id;
