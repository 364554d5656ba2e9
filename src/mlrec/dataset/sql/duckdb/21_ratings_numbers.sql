-- The same as 21_ratings_typed.sql, for a file of numbers alone.
-- In: view rating_numbers.  Out: table ratings, with its columns.
CREATE OR REPLACE TABLE ratings AS FROM rating_numbers;
