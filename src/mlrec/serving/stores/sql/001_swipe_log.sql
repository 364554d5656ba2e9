-- Version 1: the log of swipes, the vectors derived from it, and the blocklist.

-- last_event_id outlives the events of a forgotten user, so that no id is used twice; erased_up_to says up to where they
-- are gone. forgotten_at puts a user on the blocklist.
CREATE TABLE users (
    user_id INTEGER PRIMARY KEY,
    last_event_id INTEGER NOT NULL,
    erased_up_to INTEGER NOT NULL DEFAULT 0,
    forgotten_at INTEGER
);

-- at is in epoch seconds; undoes is 0 for a swipe, and for a tombstone the event that it undoes.
CREATE TABLE events (
    user_id INTEGER NOT NULL,
    event_id INTEGER NOT NULL,
    movie_id INTEGER NOT NULL,
    preference INTEGER NOT NULL CHECK (preference BETWEEN -2 AND 2),
    at INTEGER NOT NULL,
    undoes INTEGER NOT NULL,
    client_id TEXT,
    PRIMARY KEY (user_id, event_id)
) WITHOUT ROWID;

CREATE UNIQUE INDEX events_by_client_id ON events (user_id, client_id) WHERE client_id IS NOT NULL;

-- A cache: derived from the log by the model and rule of the stamp.
CREATE TABLE vectors (
    user_id INTEGER PRIMARY KEY,
    stamp TEXT NOT NULL,
    last_event_id INTEGER NOT NULL,
    vector BLOB NOT NULL
);
