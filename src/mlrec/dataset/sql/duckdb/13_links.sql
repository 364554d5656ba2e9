-- Ids in other catalogues, from the first row of each movie. IMDb's is text ("tt0114709"), TMDB's a number; either may be missing.
-- In: view link_rows; variable links_file (label, width); table movies.  Out: fills movies; adds to rejects.
CREATE OR REPLACE TEMP TABLE judged_links AS
SELECT line, text,
       movie_key(movie_id) AS movie_id,
       'tt' || format('{:07d}', TRY_CAST(regexp_extract(imdb_id, '^(?:tt)?(\d+)$', 1) AS BIGINT)) AS imdb_id,
       whole_number(tmdb_id) AS tmdb_id,
       CASE WHEN width = -2 THEN 'not a JSON object'
            WHEN width < 0 THEN 'unclosed quote'
            WHEN width < getvariable('links_file').width THEN 'missing field'
            WHEN width > getvariable('links_file').width THEN 'too many fields'
            WHEN movie_fault(movie_id) IS NOT NULL THEN movie_fault(movie_id)
            WHEN imdb_id <> '' AND NOT regexp_full_match(imdb_id, '(tt)?\d+') THEN 'unparsable imdbId'
            WHEN tmdb_id <> '' AND whole_number(tmdb_id) IS NULL THEN 'unparsable tmdbId'
            WHEN movie_key(movie_id) NOT IN (SELECT movie_id FROM movies) THEN 'unknown movie' END AS reason
FROM link_rows;

INSERT INTO rejects
SELECT getvariable('links_file').label, line, text, reason FROM judged_links WHERE reason IS NOT NULL;

UPDATE movies SET imdb_id = links.imdb_id, tmdb_id = links.tmdb_id
FROM (SELECT * FROM judged_links WHERE reason IS NULL
      QUALIFY row_number() OVER (PARTITION BY movie_id ORDER BY line) = 1) AS links
WHERE movies.movie_id = links.movie_id;
