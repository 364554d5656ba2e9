-- The time of each user's last event in train, from the written split: reading the view of events would sort again.
-- In: view split_events.
-- Out: view last_train_times(user_id, last_learned).
CREATE OR REPLACE TEMP VIEW last_train_times AS
SELECT user_id, max(timestamp) AS last_learned FROM split_events WHERE split = 'train' GROUP BY user_id;
