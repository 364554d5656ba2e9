-- Version 1: the log of swipes, the vectors derived from it, and the blocklist.

-- last_event_id outlives the events of a forgotten user, so that no id is used twice; token is that of the last event, 0
-- without events. forgotten_at puts a user on the blocklist.
CREATE TABLE users (
    user_id INTEGER PRIMARY KEY,
    last_event_id INTEGER NOT NULL,
    token INTEGER NOT NULL,
    forgotten_at INTEGER
);

-- at is in epoch seconds; undoes is 0 for a swipe, and for a tombstone the event that it undoes; token is drawn at random.
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

-- A cache: derived from the log by the model and rule of the stamp, which says where the log stood.
CREATE TABLE vectors (
    user_id INTEGER PRIMARY KEY,
    stamp TEXT NOT NULL,
    vector BLOB NOT NULL
);
