-- The tables that Mozilla's servers made, column for column. Keep them so: other people's scripts and
-- existing databases rely on it.
-- MySQL ends its transaction with every CREATE, so all of it can be done again.

CREATE TABLE IF NOT EXISTS services (
    id INT PRIMARY KEY AUTO_INCREMENT,
    service VARCHAR(30) UNIQUE,
    pattern VARCHAR(128)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TABLE IF NOT EXISTS nodes (
    id BIGINT PRIMARY KEY AUTO_INCREMENT,
    service INT NOT NULL,
    node VARCHAR(64) NOT NULL,
    available INT NOT NULL,
    current_load INT NOT NULL,
    capacity INT NOT NULL,
    downed INT NOT NULL,
    backoff INT NOT NULL,
    UNIQUE KEY unique_idx (service, node)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TABLE IF NOT EXISTS users (
    uid BIGINT PRIMARY KEY AUTO_INCREMENT,
    service INT NOT NULL,
    email VARCHAR(255) NOT NULL,
    generation BIGINT NOT NULL,
    client_state VARCHAR(32) NOT NULL,
    created_at BIGINT NOT NULL,
    replaced_at BIGINT,
    nodeid BIGINT NOT NULL,
    keys_changed_at BIGINT,
    KEY lookup_idx (email, service, created_at),
    KEY replaced_at_idx (service, replaced_at),
    KEY node_idx (nodeid)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

INSERT IGNORE INTO services (service, pattern) VALUES ('sync-1.5', '{node}/1.5/{uid}');
