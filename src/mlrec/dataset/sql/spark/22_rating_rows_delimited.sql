-- The ratings file as text, one row per line: ratings.csv, ratings.dat, u.data.
-- In: view raw_lines(line, text), where line is a number that ascends in file order; header lines have the lowest numbers.
-- A line with a quote that is not closed has the width -1.
-- Out: view rating_rows(line, text, width, user_id, movie_id, rating, timestamp), all fields text.
CREATE OR REPLACE TEMP VIEW rating_rows AS
WITH cut AS (
    SELECT line, text, fields_of(text) AS fields, has_quotes(text) AS quotes, has_blanks(text) AS blanks
    FROM raw_lines
    WHERE line >= header_lines() AND text <> '' AND NOT (has_blanks(text) AND trimmed(text) = '')
)
SELECT line, text,
       CASE WHEN quotes AND NOT is_closed(text) THEN -1 ELSE width_of(fields, ratings_width(), quotes, blanks) END AS width,
       field_at(fields, place_of('user_id'), quotes) AS user_id,
       field_at(fields, place_of('movie_id'), quotes) AS movie_id,
       trimmed_field_at(fields, place_of('rating'), quotes, blanks) AS rating,
       trimmed_field_at(fields, place_of('timestamp'), quotes, blanks) AS timestamp
FROM cut;
