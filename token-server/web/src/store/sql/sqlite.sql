-- The tables that Mozilla's servers made, column for column. Keep them so: other people's scripts and
-- existing databases rely on it.

CREATE TABLE services (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    service VARCHAR(30) UNIQUE,
    pattern VARCHAR(128)
);

CREATE TABLE nodes (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    service INTEGER NOT NULL,
    node VARCHAR(64) NOT NULL,
    available INTEGER NOT NULL,
    current_load INTEGER NOT NULL,
    capacity INTEGER NOT NULL,
    downed INTEGER NOT NULL,
    backoff INTEGER NOT NULL
);
CREATE UNIQUE INDEX unique_idx ON nodes (service, node);

-- AUTOINCREMENT, so that the number of a purged user is never given to another one.
CREATE TABLE users (
    uid INTEGER PRIMARY KEY AUTOINCREMENT,
    service INTEGER NOT NULL,
    email VARCHAR(255) NOT NULL,
    generation BIGINT NOT NULL,
    client_state VARCHAR(32) NOT NULL,
    created_at BIGINT NOT NULL,
    replaced_at BIGINT,
    nodeid BIGINT NOT NULL,
    keys_changed_at BIGINT
);
CREATE INDEX lookup_idx ON users (email, service, created_at);
CREATE INDEX replaced_at_idx ON users (service, replaced_at);
CREATE INDEX node_idx ON users (nodeid);

INSERT INTO services (service, pattern) VALUES ('sync-1.5', '{node}/1.5/{uid}');
