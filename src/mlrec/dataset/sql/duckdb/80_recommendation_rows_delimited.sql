-- A file of lists that another system made, one row per line.
-- In: table raw_lines; variable recommendations_file (delimiter, width).
-- Out: view recommendation_rows(line, text, width, user_id, movie_id, rank, score), all fields text.
CREATE OR REPLACE VIEW recommendation_rows AS
SELECT line, text, width, {selected}
FROM rows_of('recommendations_file');
