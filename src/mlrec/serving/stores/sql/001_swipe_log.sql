-- Version 1: the log of swipes, the vectors derived from it, and the blocklist.

-- last_event_id stays when the events of a user are forgotten, so that no id is reused. token is that of the last event, 0
-- without events. A user with forgotten_at is on the blocklist.
CREATE TABLE users (
    user_id INTEGER PRIMARY KEY,
    last_event_id INTEGER NOT NULL,
    token INTEGER NOT NULL,
    forgotten_at INTEGER
);

-- at is in epoch seconds. undoes is 0 for a swipe; for a tombstone, it is the event that the tombstone undoes. token is random.
CREATE TABLE events (
    user_id INTEGER NOT NULL,
    event_id INTEGER NOT NULL,
    movie_id INTEGER NOT NULL,
    preference INTEGER NOT NULL CHECK (preference BETWEEN -2 AND 2),
    at INTEGER NOT NULL,
    undoes INTEGER NOT NULL,
    client_id TEXT,
    token INTEGER NOT NULL,
    PRIMARY KEY (user_id, event_id)
) WITHOUT ROWID;

CREATE UNIQUE INDEX events_by_client_id ON events (user_id, client_id) WHERE client_id IS NOT NULL;

-- A cache, derived from the log. The stamp holds the model, the rule and the state of the log.
CREATE TABLE vectors (
    user_id INTEGER PRIMARY KEY,
    stamp TEXT NOT NULL,
    vector BLOB NOT NULL
);
