-- A ratings.parquet as text.
-- In: view raw_rows(line, user_id, movie_id, rating, timestamp), line = the row's number, counted from 0.
-- Out: view rating_rows(line, text, width, user_id, movie_id, rating, timestamp), all fields text.
CREATE OR REPLACE TEMP VIEW rating_rows AS
WITH source AS (
    SELECT line, CAST(user_id AS STRING) AS user_id, CAST(movie_id AS STRING) AS movie_id,
           CAST(rating AS STRING) AS rating, CAST(timestamp AS STRING) AS timestamp
    FROM raw_rows
)
SELECT line,
       concat_ws(',', coalesce(user_id, ''), coalesce(movie_id, ''), coalesce(rating, ''), coalesce(timestamp, '')) AS text,
       ratings_width() AS width, user_id, movie_id, rating, timestamp
FROM source;
