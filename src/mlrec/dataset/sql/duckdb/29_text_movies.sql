-- The same as 29_text_users.sql, for movies.
CREATE TYPE movie_texts AS ENUM (SELECT DISTINCT movie_id FROM ratings ORDER BY movie_id);

ALTER TABLE ratings ALTER movie_id TYPE movie_texts;
