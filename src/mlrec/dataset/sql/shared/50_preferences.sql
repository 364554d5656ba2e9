-- Ratings as preferences, by the bucket of each rating.
-- In: ratings.  Out: view preferences(user_id, movie_id, preference, timestamp).
CREATE OR REPLACE TEMP VIEW preferences AS
SELECT user_id, movie_id,
       CAST(CASE WHEN rating <= cut_point(1) THEN preference_of_bucket(1)
                 WHEN rating <= cut_point(2) THEN preference_of_bucket(2)
                 WHEN rating <= cut_point(3) THEN preference_of_bucket(3)
                 ELSE preference_of_bucket(4) END AS TINYINT) AS preference,
       timestamp
FROM ratings;
