-- A file of ratings with an object of JSON in each line, as text.
-- In: table raw_lines; variable ratings_file (width).
-- Out: view split_rows(line, text, width, user_id, movie_id, rating, timestamp), all fields text; a width of -2 says that the line is
-- no object.
CREATE OR REPLACE VIEW split_rows AS
WITH documents AS (
    SELECT line, text, is_object(text) AS is_object, CASE WHEN is_object(text) THEN text ELSE '{}' END AS document
    FROM raw_lines WHERE trim(text) <> ''
)
SELECT line, text, CASE WHEN is_object THEN getvariable('ratings_file').width ELSE -2 END AS width,
       user_id, movie_id, trim(rating) AS rating, trim(timestamp) AS timestamp
FROM (SELECT line, text, is_object, {selected} FROM documents);
