use super::{COLUMNS, Statements};

/// PostgreSQL. Numbers are cast where a table may have them in four bytes.
pub(in super::super) const POSTGRES: Statements = Statements {
    schema: include_str!("postgres.sql"),
    lock_schema: Some("SELECT pg_advisory_xact_lock(hashtext('token-server schema'))"),
    unlock_schema: None,
    tables: "SELECT table_name::text FROM information_schema.tables \
             WHERE table_schema = current_schema() AND table_name IN ('services', 'nodes', 'users')",
    columns: COLUMNS,

    service: "SELECT id::bigint, pattern::text FROM services WHERE service = $1",
    add_service: "INSERT INTO services (service, pattern) VALUES ($1, $2) ON CONFLICT DO NOTHING",
    lock_nodes: Some("SELECT id FROM services WHERE id = $1 FOR UPDATE"),
    node_urls: "SELECT node::text FROM nodes WHERE service = $1 ORDER BY id",
    count_nodes: "SELECT COUNT(*) FROM nodes WHERE service = $1",

    records: "SELECT uid::bigint, nodes.id::bigint, nodes.node::text, generation::bigint, \
                  COALESCE(keys_changed_at, 0)::bigint, client_state::text, created_at::bigint, \
                  replaced_at::bigint \
              FROM users LEFT OUTER JOIN nodes ON users.nodeid = nodes.id \
              WHERE email = $1 AND users.service = $2 \
              ORDER BY created_at DESC, uid DESC LIMIT 20",
    // Advisory, since an account without rows has nothing else to lock.
    lock_name: Some("SELECT pg_advisory_xact_lock(hashtextextended($1, $2))"),
    lock_account: Some(
        "SELECT uid::bigint FROM users \
         WHERE email = $1 AND service = $2 AND replaced_at IS NULL FOR UPDATE",
    ),
    lock_service: None,
    insert: "INSERT INTO users \
             (service, email, nodeid, generation, keys_changed_at, client_state, created_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING uid::bigint",
    update: "UPDATE users SET generation = $1, keys_changed_at = $2 \
             WHERE service = $3 AND email = $4 AND generation <= $5 \
                 AND COALESCE(keys_changed_at, 0) <= $6 AND replaced_at IS NULL",
    replace_all: "UPDATE users SET replaced_at = $1 \
                  WHERE service = $2 AND email = $3 AND replaced_at IS NULL AND created_at < $4",
    replace_one: "UPDATE users SET replaced_at = $1 WHERE uid = $2 AND replaced_at IS NULL",

    add_node: "INSERT INTO nodes \
               (service, node, available, current_load, capacity, downed, backoff) \
               VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id::bigint",
    // There are no logarithms from 0 down.
    best_node: "SELECT id::bigint, node::text FROM nodes \
                WHERE service = $1 AND available > 0 AND capacity > current_load \
                    AND downed = 0 AND backoff = 0 \
                ORDER BY CASE WHEN current_load <= 0 THEN -1 ELSE ln(current_load) / ln(capacity) END, \
                    id LIMIT 1",
    occupy: "UPDATE nodes SET current_load = current_load + 1, available = available - 1 \
             WHERE id = $1 AND available > 0 AND capacity > current_load \
                 AND downed = 0 AND backoff = 0",
    release: "UPDATE nodes SET available = \
                  LEAST(ceil(capacity * $1::double precision)::int, capacity - current_load) \
              WHERE service = $2 AND available <= 0 AND capacity > current_load AND downed = 0",

    update_node: "UPDATE nodes SET capacity = COALESCE($1, capacity), \
                      available = COALESCE($2, available), \
                      current_load = COALESCE($3, current_load), downed = COALESCE($4, downed), \
                      backoff = COALESCE($5, backoff) \
                  WHERE service = $6 AND node = $7",
    node: "SELECT id::bigint FROM nodes WHERE service = $1 AND node = $2",
    lock_node: "SELECT id::bigint FROM nodes WHERE service = $1 AND node = $2 FOR UPDATE",
    delete_node: "DELETE FROM nodes WHERE id = $1",
    unassign: "UPDATE users SET replaced_at = $1 WHERE nodeid = $2 AND replaced_at IS NULL",
    assigned: "SELECT uid::bigint FROM users WHERE nodeid = $1 AND replaced_at IS NULL LIMIT 1",
    place: "UPDATE nodes SET current_load = current_load + 1, \
                available = CASE WHEN available > 0 THEN available - 1 ELSE 0 END WHERE id = $1",
    count_users: "SELECT COUNT(DISTINCT email) FROM users \
                  WHERE service = $1 AND replaced_at IS NULL AND created_at <= $2",

    retire: "UPDATE users SET replaced_at = $1, generation = $2 \
             WHERE service = $3 AND email = $4 AND replaced_at IS NULL",
    raise: "UPDATE users SET generation = $1 \
            WHERE service = $2 AND email = $3 AND generation <= $4 AND replaced_at IS NULL",

    count_old: "SELECT COUNT(*) FROM users \
                WHERE service = $1 AND replaced_at < $2 AND uid BETWEEN $3 AND $4",
    old_records: "SELECT uid::bigint, email::text, replaced_at::bigint, nodes.node::text, \
                      nodes.downed::bigint, generation::bigint, COALESCE(keys_changed_at, 0)::bigint, client_state::text \
                  FROM users LEFT OUTER JOIN nodes ON users.nodeid = nodes.id \
                  WHERE users.service = $1 AND replaced_at < $2 AND uid BETWEEN $3 AND $4 \
                      AND (replaced_at > $5 OR (replaced_at = $6 AND uid > $7)) \
                  ORDER BY replaced_at, uid LIMIT $8",
    link: "SELECT nodeid::bigint, client_state::text, created_at::bigint FROM users WHERE uid = $1",
    link_before: "SELECT nodeid::bigint, client_state::text, created_at::bigint FROM users \
                  WHERE email = $1 AND service = $2 \
                      AND (created_at < $3 OR (created_at = $4 AND uid < $5)) \
                  ORDER BY created_at DESC, uid DESC LIMIT 1",
    link_after: "SELECT nodeid::bigint, client_state::text, created_at::bigint FROM users \
                  WHERE email = $1 AND service = $2 \
                      AND (created_at > $3 OR (created_at = $4 AND uid > $5)) \
                  ORDER BY created_at, uid LIMIT 1",
    delete_old: "DELETE FROM users WHERE uid = $1 AND replaced_at IS NOT NULL",
    leave: "UPDATE nodes SET current_load = current_load - 1, available = available + 1 \
            WHERE id = $1 AND current_load > 0",
    defer: "UPDATE users SET replaced_at = $1 WHERE uid = $2 AND replaced_at = $3",
    access_table: "SELECT table_name::text FROM information_schema.tables \
                   WHERE table_schema = current_schema() AND table_name = 'token_server_access'",
    access_schema: include_str!("postgres_access.sql"),
    access_entries: "SELECT list::text, issuer::text, subject::text FROM token_server_access ORDER BY list, issuer, subject",
    add_access: "INSERT INTO token_server_access (list, issuer, subject) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
    remove_access: "DELETE FROM token_server_access WHERE list = $1 AND issuer = $2 AND subject = $3",

    key_in_use: "SELECT generation::bigint, COALESCE(keys_changed_at, 0)::bigint, client_state::text FROM users \
                 WHERE email = $1 AND service = $2 AND replaced_at IS NULL \
                 ORDER BY created_at DESC, uid DESC LIMIT 1",
};
