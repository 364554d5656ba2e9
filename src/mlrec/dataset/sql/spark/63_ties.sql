-- Where a split of each user's history cuts between events of the same time.
-- In: views split_events, last_train_times.
-- Out: view new_ties(users, users_cut_in_ties, users_held_out_by_ties), one row, kept as ties: users with held-out events; those
-- of them for whom a cut separates two events of the same time; those for whom at least half of the held-out events have the time
-- of their last event in train.
CREATE OR REPLACE TEMP VIEW new_ties AS
WITH held_out AS (
    SELECT user_id, count(*) AS n, count(CASE WHEN timestamp = last_learned THEN 1 END) AS n_tied,
           max(CASE WHEN split = 'val' THEN timestamp END) AS last_of_val,
           min(CASE WHEN split = 'test' THEN timestamp END) AS first_of_test
    FROM split_events LEFT JOIN last_train_times USING (user_id)
    WHERE split <> 'train'
    GROUP BY user_id
)
SELECT count(*) AS users,
       count(CASE WHEN n_tied > 0 OR last_of_val = first_of_test THEN 1 END) AS users_cut_in_ties,
       count(CASE WHEN 2 * n_tied >= n THEN 1 END) AS users_held_out_by_ties
FROM held_out;
