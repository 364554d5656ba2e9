-- Clean titles, years and genre lists; the first row of each id counts.
-- In: view movie_rows; variable movies_file (label, width, skip_blanks); table listed_genres.  Out: table movies; adds to rejects.
CREATE OR REPLACE TEMP TABLE judged_movies AS
WITH faults AS (
    SELECT line, text, title, genres, year, details,
           movie_key(movie_id) AS movie_id,
           CASE WHEN width = -2 THEN 'not a JSON object'
                WHEN width < 0 THEN 'unclosed quote'
                WHEN width < getvariable('movies_file').width THEN 'missing field'
                WHEN width > getvariable('movies_file').width THEN 'too many fields'
                ELSE movie_fault(movie_id) END AS fault
    FROM movie_rows
)
SELECT line, text, title, genres, year, details, movie_id,
       CASE WHEN fault IS NOT NULL THEN fault
            WHEN row_number() OVER (PARTITION BY fault IS NULL, movie_id ORDER BY line) > 1 THEN 'duplicate movieId'
       END AS reason
FROM faults;

INSERT INTO rejects
SELECT getvariable('movies_file').label, line, text, reason FROM judged_movies WHERE reason IS NOT NULL;

-- Genres are separated by '|', ';' or ',': by what most of the rows with several have.
CREATE OR REPLACE TEMP TABLE genre_separator AS
SELECT CASE WHEN bars >= greatest(semicolons, commas) THEN '|' WHEN semicolons >= commas THEN ';' ELSE ',' END AS separator
FROM (
    SELECT count_if(contains(genres, '|')) AS bars, count_if(contains(genres, ';')) AS semicolons,
           count_if(contains(genres, ',')) AS commas
    FROM judged_movies WHERE reason IS NULL AND NOT starts_with(ltrim(genres), '[')
);

-- A line break within a title becomes a blank. Years look like "Title (1995)", "Series (2006–2007)" or "Running (2019- )". Any
-- other text in brackets at the end stays in the title. A column of years comes before a year in the title.
INSERT INTO movies (movie_id, title, year, genres, details)
WITH on_one_line AS (
    SELECT movie_id, trim(regexp_replace(title, '\s*[\r\n]\s*', ' ', 'g')) AS title, genres, details,
           TRY_CAST(nullif(regexp_extract(trim(year), '^((?:1\d|20)\d\d)(?:\.0+|-\d\d.*)?$', 1), '') AS SMALLINT) AS year
    FROM judged_movies WHERE reason IS NULL
), split AS (
    SELECT *,
           regexp_extract(
               title,
               '^(.*\S)\s*\(\s*((?:18|19|20)\d\d)\s*(?:[–—-]\s*(?:\d{4})?)?\s*\)$', ['name', 'year']) AS parts
    FROM on_one_line
)
SELECT movie_id,
       CASE WHEN parts.year <> '' THEN parts.name
            WHEN title IS NULL OR title = '' THEN 'Untitled movie ' || movie_id
            ELSE title END,
       coalesce(split.year, TRY_CAST(parts.year AS SMALLINT)),
       CASE WHEN listed.genres IS NOT NULL THEN listed.genres
            WHEN split.genres IS NULL OR trim(split.genres) IN ('', '(no genres listed)') THEN []
            ELSE list_filter(
                list_transform(string_split(split.genres, separator), lambda name: trim(name)), lambda name: name <> '') END,
       details
FROM split CROSS JOIN genre_separator LEFT JOIN listed_genres AS listed ON listed.text = split.genres
ORDER BY movie_id;
