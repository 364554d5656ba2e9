-- The time of each user's last event in train. The position of an event identifies it, without grouping all events.
-- In: view events.
-- Out: view last_train_times(user_id, last_learned).
CREATE OR REPLACE TEMP VIEW last_train_times AS
SELECT user_id, seconds_of(timestamp) AS last_learned FROM events WHERE n >= 3 AND position = share_of(n, 1) - 1;
