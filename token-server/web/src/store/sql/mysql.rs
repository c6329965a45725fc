use super::{COLUMNS, Statements};

/// MySQL and MariaDB. Their usual collations take `A` for `a`, but accounts differ by it: every email is
/// compared twice, by the index and byte by byte, and so it is bound twice.
pub(in super::super) const MYSQL: Statements = Statements {
    schema: include_str!("mysql.sql"),
    // Every table is committed by itself, so no transaction keeps others from seeing half of them. Should
    // the lock not be had in time, what is there then is looked at, and refused if it is a half.
    lock_schema: Some("DO GET_LOCK(CONCAT('token-server ', LEFT(SHA2(DATABASE(), 256), 40)), 60)"),
    unlock_schema: Some(
        "DO RELEASE_LOCK(CONCAT('token-server ', LEFT(SHA2(DATABASE(), 256), 40)))",
    ),
    tables: "SELECT table_name FROM information_schema.tables \
             WHERE table_schema = DATABASE() AND table_name IN ('services', 'nodes', 'users')",
    columns: COLUMNS,

    service: "SELECT id, pattern FROM services WHERE service = ?",
    add_service: "INSERT IGNORE INTO services (service, pattern) VALUES (?, ?)",
    lock_nodes: Some("SELECT id FROM services WHERE id = ? FOR UPDATE"),
    node_urls: "SELECT node FROM nodes WHERE service = ? ORDER BY id",
    count_nodes: "SELECT COUNT(*) FROM nodes WHERE service = ?",

    records: "SELECT uid, nodes.id, nodes.node, generation, COALESCE(keys_changed_at, 0), \
                  client_state, created_at, replaced_at \
              FROM users LEFT OUTER JOIN nodes ON users.nodeid = nodes.id \
              WHERE email = ? AND CAST(CONVERT(email USING utf8mb4) AS BINARY) = CAST(? AS BINARY) \
                  AND users.service = ? \
              ORDER BY created_at DESC, uid DESC LIMIT 20",
    lock_name: None,
    lock_account: Some(
        "SELECT uid FROM users \
         WHERE email = ? AND CAST(CONVERT(email USING utf8mb4) AS BINARY) = CAST(? AS BINARY) \
             AND service = ? FOR UPDATE",
    ),
    lock_service: Some("SELECT id FROM services WHERE id = ? FOR UPDATE"),
    insert: "INSERT INTO users \
             (service, email, nodeid, generation, keys_changed_at, client_state, created_at) \
             VALUES (?, ?, ?, ?, ?, ?, ?)",
    update: "UPDATE users SET generation = ?, keys_changed_at = ? \
             WHERE service = ? \
                 AND email = ? AND CAST(CONVERT(email USING utf8mb4) AS BINARY) = CAST(? AS BINARY) \
                 AND generation <= ? AND COALESCE(keys_changed_at, 0) <= ? AND replaced_at IS NULL",
    replace_all: "UPDATE users SET replaced_at = ? \
                  WHERE service = ? \
                      AND email = ? AND CAST(CONVERT(email USING utf8mb4) AS BINARY) = CAST(? AS BINARY) \
                      AND replaced_at IS NULL AND created_at < ?",
    replace_one: "UPDATE users SET replaced_at = ? WHERE uid = ? AND replaced_at IS NULL",

    add_node: "INSERT INTO nodes \
               (service, node, available, current_load, capacity, downed, backoff) \
               VALUES (?, ?, ?, ?, ?, ?, ?)",
    // The logarithms from 0 down are NULL, which comes first.
    best_node: "SELECT id, node FROM nodes \
                WHERE service = ? AND available > 0 AND capacity > current_load \
                    AND downed = 0 AND backoff = 0 \
                ORDER BY LOG(current_load) / LOG(capacity), id LIMIT 1",
    occupy: "UPDATE nodes SET current_load = current_load + 1, available = available - 1 \
             WHERE id = ? AND available > 0 AND capacity > current_load \
                 AND downed = 0 AND backoff = 0",
    release: "UPDATE nodes SET available = LEAST(CEIL(capacity * ?), capacity - current_load) \
              WHERE service = ? AND available <= 0 AND capacity > current_load AND downed = 0",

    update_node: "UPDATE nodes SET capacity = COALESCE(?, capacity), \
                      available = COALESCE(?, available), \
                      current_load = COALESCE(?, current_load), downed = COALESCE(?, downed), \
                      backoff = COALESCE(?, backoff) \
                  WHERE service = ? AND node = ?",
    node: "SELECT id FROM nodes WHERE service = ? AND node = ?",
    lock_node: "SELECT id FROM nodes WHERE service = ? AND node = ? FOR UPDATE",
    delete_node: "DELETE FROM nodes WHERE id = ?",
    unassign: "UPDATE users SET replaced_at = ? WHERE nodeid = ? AND replaced_at IS NULL",
    assigned: "SELECT uid FROM users WHERE nodeid = ? AND replaced_at IS NULL LIMIT 1",
    place: "UPDATE nodes SET current_load = current_load + 1, \
                available = CASE WHEN available > 0 THEN available - 1 ELSE 0 END WHERE id = ?",
    count_users: "SELECT COUNT(DISTINCT CAST(CONVERT(email USING utf8mb4) AS BINARY)) FROM users \
                  WHERE service = ? AND replaced_at IS NULL AND created_at <= ?",

    retire: "UPDATE users SET replaced_at = ?, generation = ? \
             WHERE service = ? AND email = ? AND CAST(CONVERT(email USING utf8mb4) AS BINARY) = CAST(? AS BINARY) AND replaced_at IS NULL",
    raise: "UPDATE users SET generation = ? \
            WHERE service = ? AND email = ? AND CAST(CONVERT(email USING utf8mb4) AS BINARY) = CAST(? AS BINARY) AND generation <= ? AND replaced_at IS NULL",

    count_old: "SELECT COUNT(*) FROM users \
                WHERE service = ? AND replaced_at < ? AND uid BETWEEN ? AND ?",
    old_records: "SELECT uid, email, replaced_at, nodes.node, \
                      nodes.downed, generation, COALESCE(keys_changed_at, 0), client_state \
                  FROM users LEFT OUTER JOIN nodes ON users.nodeid = nodes.id \
                  WHERE users.service = ? AND replaced_at < ? AND uid BETWEEN ? AND ? \
                      AND (replaced_at > ? OR (replaced_at = ? AND uid > ?)) \
                  ORDER BY replaced_at, uid LIMIT ?",
    link: "SELECT nodeid, client_state, created_at FROM users WHERE uid = ?",
    link_before: "SELECT nodeid, client_state, created_at FROM users \
                  WHERE email = ? AND CAST(CONVERT(email USING utf8mb4) AS BINARY) = CAST(? AS BINARY) AND service = ? \
                      AND (created_at < ? OR (created_at = ? AND uid < ?)) \
                  ORDER BY created_at DESC, uid DESC LIMIT 1",
    link_after: "SELECT nodeid, client_state, created_at FROM users \
                  WHERE email = ? AND CAST(CONVERT(email USING utf8mb4) AS BINARY) = CAST(? AS BINARY) AND service = ? \
                      AND (created_at > ? OR (created_at = ? AND uid > ?)) \
                  ORDER BY created_at, uid LIMIT 1",
    delete_old: "DELETE FROM users WHERE uid = ? AND replaced_at IS NOT NULL",
    leave: "UPDATE nodes SET current_load = current_load - 1, available = available + 1 \
            WHERE id = ? AND current_load > 0",
    defer: "UPDATE users SET replaced_at = ? WHERE uid = ? AND replaced_at = ?",
    access_table: "SELECT table_name FROM information_schema.tables \
                   WHERE table_schema = DATABASE() AND table_name = 'token_server_access'",
    access_schema: include_str!("mysql_access.sql"),
    access_entries: "SELECT list, issuer, subject FROM token_server_access ORDER BY list, issuer, subject",
    add_access: "INSERT IGNORE INTO token_server_access (list, issuer, subject) VALUES (?, ?, ?)",
    remove_access: "DELETE FROM token_server_access WHERE list = ? AND issuer = ? AND subject = ?",

    key_in_use: "SELECT generation, COALESCE(keys_changed_at, 0), client_state FROM users \
                 WHERE email = ? AND CAST(CONVERT(email USING utf8mb4) AS BINARY) = CAST(? AS BINARY) AND service = ? AND replaced_at IS NULL \
                 ORDER BY created_at DESC, uid DESC LIMIT 1",
};
