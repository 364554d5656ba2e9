-- Where a split of each user's history cuts between events of the same time. The events of a user are in time order, so the times of
-- five of them tell: those on both sides of each cut, and that of the middle of the held-out events.
-- In: view events.
-- Out: view new_ties(users, users_cut_in_ties, users_held_out_by_ties), one row, kept as ties: users with held-out events; those
-- of them for whom a cut separates two events of the same time; those for whom at least half of the held-out events have the time
-- of their last event in train.
CREATE OR REPLACE TEMP VIEW new_ties AS
WITH cut AS (
    SELECT user_id, position, written_time(timestamp, position) AS timestamp, share_of(n, 1) AS val_from,
           share_of(n, 1) + share_of(n, 2) AS test_from, share_of(n, 1) - 1 + (n - share_of(n, 1) + 1) // 2 AS middle
    FROM events WHERE n >= 3 AND position >= share_of(n, 1) - 1 AND share_of(n, 1) < n
), times AS (
    SELECT user_id,
           max(CASE WHEN position = val_from - 1 THEN timestamp END) AS last_learned,
           max(CASE WHEN position = val_from THEN timestamp END) AS first_held_out,
           max(CASE WHEN position = middle THEN timestamp END) AS middle_held_out,
           max(CASE WHEN position = test_from - 1 AND test_from > val_from THEN timestamp END) AS last_of_val,
           max(CASE WHEN position = test_from THEN timestamp END) AS first_of_test
    FROM cut
    WHERE position IN (val_from - 1, val_from, middle, test_from - 1, test_from)
    GROUP BY user_id
)
SELECT count(*) AS users,
       count(CASE WHEN first_held_out = last_learned OR last_of_val = first_of_test THEN 1 END) AS users_cut_in_ties,
       count(CASE WHEN middle_held_out = last_learned THEN 1 END) AS users_held_out_by_ties
FROM times;
