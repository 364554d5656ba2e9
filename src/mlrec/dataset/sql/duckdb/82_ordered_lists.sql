-- The lists, by user, with the best movie first. If a list has a movie twice, the first one stands. Equal places are in the order of
-- movie ids.
-- In: table list_rows.
-- Out: table ordered_lists(user_id, movie_id), in order; view uneven_lists(user_id), the users whose places are not 1, 2, 3 and so on.
CREATE OR REPLACE TABLE ordered_lists AS
SELECT user_id, movie_id
FROM (FROM list_rows QUALIFY row_number() OVER (PARTITION BY user_id, movie_id ORDER BY place, line) = 1)
ORDER BY user_id, place, movie_id;

CREATE OR REPLACE VIEW uneven_lists AS
SELECT user_id FROM list_rows GROUP BY user_id
HAVING min(place) <> 1 OR max(place) <> count(*) OR count(DISTINCT place) <> count(*);
