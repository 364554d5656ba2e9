-- Where a split of each user's history cuts between events of the same time.
-- As duckdb/62_ties.sql, but from the written split alone: to ask the view of events would be to sort once more.
-- In: view split_events.
-- Out: view new_ties(users, users_cut_in_ties, users_held_out_by_ties), one row, which is kept as ties: users of whom something
-- is held out; those of them with two events of the same time on both sides of a cut; those of whom half or more of what is
-- held out has the time of the last event to learn from.
CREATE OR REPLACE TEMP VIEW new_ties AS
WITH learned AS (
    SELECT user_id, max(timestamp) AS last_learned FROM split_events WHERE split = 'train' GROUP BY user_id
), held_out AS (
    SELECT user_id, count(*) AS n, count(CASE WHEN timestamp = last_learned THEN 1 END) AS n_tied,
           max(CASE WHEN split = 'val' THEN timestamp END) AS last_of_val,
           min(CASE WHEN split = 'test' THEN timestamp END) AS first_of_test
    FROM split_events LEFT JOIN learned USING (user_id)
    WHERE split <> 'train'
    GROUP BY user_id
)
SELECT count(*) AS users,
       count(CASE WHEN n_tied > 0 OR last_of_val = first_of_test THEN 1 END) AS users_cut_in_ties,
       count(CASE WHEN 2 * n_tied >= n THEN 1 END) AS users_held_out_by_ties
FROM held_out;
