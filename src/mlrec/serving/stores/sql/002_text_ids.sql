-- Version 2: ids of users and movies may be texts. A text is a BLOB with its UTF-8 bytes. The columns stay INTEGER, which
-- would turn the TEXT '42' into the number 42 but never converts a BLOB. So comparisons between tables still use their
-- keys, and numbers come before BLOBs.

-- The key of a table with rowid can hold only numbers, so these tables become WITHOUT ROWID. events has been so from the
-- start.
CREATE TABLE new_users (
    user_id INTEGER PRIMARY KEY,
    last_event_id INTEGER NOT NULL,
    token INTEGER NOT NULL,
    forgotten_at INTEGER
) WITHOUT ROWID;
INSERT INTO new_users (user_id, last_event_id, token, forgotten_at)
SELECT user_id, last_event_id, token, forgotten_at FROM users;
DROP TABLE users;
ALTER TABLE new_users RENAME TO users;

CREATE TABLE new_vectors (
    user_id INTEGER PRIMARY KEY,
    stamp TEXT NOT NULL,
    vector BLOB NOT NULL
) WITHOUT ROWID;
INSERT INTO new_vectors (user_id, stamp, vector)
SELECT user_id, stamp, vector FROM vectors;
DROP TABLE vectors;
ALTER TABLE new_vectors RENAME TO vectors;
