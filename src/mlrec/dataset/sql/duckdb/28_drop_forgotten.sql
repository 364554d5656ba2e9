-- Users who asked to be forgotten: their ratings go.
-- In: tables ratings, forgotten(user_id).  Out: table ratings without theirs; table gone(user_id), those who had any.
CREATE TEMP TABLE gone AS SELECT user_id FROM forgotten SEMI JOIN ratings USING (user_id);

DELETE FROM ratings USING gone WHERE ratings.user_id = gone.user_id;
