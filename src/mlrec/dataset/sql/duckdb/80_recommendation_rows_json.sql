-- A file of lists that another system made, with an object of JSON in each line.
-- In: table raw_lines; variable recommendations_file (width).
-- Out: view recommendation_rows(line, text, width, user_id, movie_id, rank, score), all fields text; a width of -2 says that the line
-- is no object.
CREATE OR REPLACE VIEW recommendation_rows AS
WITH documents AS (
    SELECT line, text, is_object(text) AS is_object, CASE WHEN is_object(text) THEN text ELSE '{}' END AS document
    FROM raw_lines WHERE trim(text) <> ''
)
SELECT line, text, CASE WHEN is_object THEN getvariable('recommendations_file').width ELSE -2 END AS width, {selected}
FROM documents;
