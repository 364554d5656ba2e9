-- Clean titles, years and genre lists; the first row of each id counts.
-- In: view movie_rows; variable movies_file (label, width).  Out: table movies; adds to rejects.
CREATE OR REPLACE TEMP TABLE judged_movies AS
WITH faults AS (
    SELECT line, text, title, genres,
           movie_key(movie_id) AS movie_id,
           CASE WHEN width < 0 THEN 'unclosed quote'
                WHEN width < getvariable('movies_file').width THEN 'missing field'
                WHEN width > getvariable('movies_file').width THEN 'too many fields'
                ELSE movie_fault(movie_id) END AS fault
    FROM movie_rows
)
SELECT line, text, title, genres, movie_id,
       CASE WHEN fault IS NOT NULL THEN fault
            WHEN row_number() OVER (PARTITION BY fault IS NULL, movie_id ORDER BY line) > 1 THEN 'duplicate movieId'
       END AS reason
FROM faults;

INSERT INTO rejects
SELECT getvariable('movies_file').label, line, text, reason FROM judged_movies WHERE reason IS NOT NULL;

-- A line break within a title becomes a blank. Years look like "Title (1995)", "Series (2006–2007)" or "Running (2019- )". Any
-- other text in brackets at the end stays in the title.
INSERT INTO movies (movie_id, title, year, genres)
WITH on_one_line AS (
    SELECT movie_id, trim(regexp_replace(title, '\s*[\r\n]\s*', ' ', 'g')) AS title, genres
    FROM judged_movies WHERE reason IS NULL
), split AS (
    SELECT movie_id, title, genres,
           regexp_extract(
               title,
               '^(.*\S)\s*\(\s*((?:18|19|20)\d\d)\s*(?:[–—-]\s*(?:\d{4})?)?\s*\)$', ['name', 'year']) AS parts
    FROM on_one_line
)
SELECT movie_id,
       CASE WHEN parts.year <> '' THEN parts.name
            WHEN title IS NULL OR title = '' THEN 'Untitled movie ' || movie_id
            ELSE title END,
       TRY_CAST(parts.year AS SMALLINT),
       CASE WHEN genres IS NULL OR trim(genres) IN ('', '(no genres listed)') THEN []
            ELSE list_filter(
                list_transform(string_split(genres, '|'), lambda name: trim(name)), lambda name: name <> '') END
FROM split
ORDER BY movie_id;
