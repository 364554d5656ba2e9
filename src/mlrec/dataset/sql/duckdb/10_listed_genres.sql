-- Genres that look like a list of Python or JSON, for Python to read.
-- In: view movie_rows.  Out: table genre_lists(text).
CREATE OR REPLACE TEMP TABLE genre_lists AS
SELECT DISTINCT genres AS text FROM movie_rows WHERE starts_with(ltrim(genres), '[');
