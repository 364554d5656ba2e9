-- What each row of lists says, and what is wrong with it, if anything. A text file comes in blocks of rows; this step runs once per
-- block.
-- In: view recommendation_rows; variables recommendations_file (width) and list_order: rank, score or row.
-- Out: adds to tables list_rows(line, user_id, movie_id, place), in which a smaller place is nearer to the top of the list, and
-- list_faults(line, fault, field), which are created if needed.
CREATE OR REPLACE TEMP TABLE judged_recommendations AS
WITH typed AS (
    SELECT line, text, width, user_id AS user_text, movie_id AS movie_text, trim(rank) AS rank_text, trim(score) AS score_text,
           user_key(user_id) AS user_id, movie_key(movie_id) AS movie_id,
           CASE getvariable('list_order') WHEN 'rank' THEN CAST(whole_number(trim(rank)) AS DOUBLE)
                                          WHEN 'score' THEN -decimal_number(trim(score))
                                          ELSE line END AS place
    FROM recommendation_rows
)
SELECT line, text, user_text, movie_text, rank_text, score_text, user_id, movie_id, place,
       CASE WHEN width = -2 THEN 'object'
            WHEN width < 0 THEN 'quote'
            WHEN width < getvariable('recommendations_file').width THEN 'few'
            WHEN width > getvariable('recommendations_file').width THEN 'many'
            WHEN user_id IS NULL THEN 'user'
            WHEN movie_id IS NULL THEN 'movie'
            WHEN place IS NULL OR NOT isfinite(place) THEN getvariable('list_order')
            WHEN getvariable('list_order') = 'rank' AND place < 1 THEN 'low rank' END AS fault
FROM typed;

CREATE TABLE IF NOT EXISTS list_rows AS SELECT line, user_id, movie_id, place FROM judged_recommendations LIMIT 0;
CREATE TABLE IF NOT EXISTS list_faults (line BIGINT, fault VARCHAR, field VARCHAR);

INSERT INTO list_rows
SELECT line, user_id, movie_id, place FROM judged_recommendations WHERE fault IS NULL;

INSERT INTO list_faults
SELECT line, fault,
       CASE fault WHEN 'user' THEN user_text WHEN 'movie' THEN movie_text WHEN 'score' THEN score_text
                  WHEN 'rank' THEN rank_text WHEN 'low rank' THEN rank_text ELSE text END
FROM judged_recommendations WHERE fault IS NOT NULL;
