//! What a database says about its tables.

use super::{Database, Kind};

/// Columns, indexes and constraints in one notation for all kinds of databases: `users.uid bigint auto`,
/// `users.replaced_at bigint null`, `index users.node_idx (nodeid)`, `primary users (uid)`.
pub(crate) async fn structure(database: &Database) -> Vec<String> {
    let (columns, keys, constraints) = match database.kind {
        Kind::Sqlite => (SQLITE_COLUMNS, SQLITE_KEYS, SQLITE_CONSTRAINTS),
        Kind::Postgres => (POSTGRES_COLUMNS, POSTGRES_KEYS, POSTGRES_CONSTRAINTS),
        Kind::MySql => (MYSQL_COLUMNS, MYSQL_KEYS, MYSQL_CONSTRAINTS),
    };
    let mut lines = Vec::new();
    for query in [columns, keys, constraints] {
        lines.extend(database.texts(query).await);
    }
    let short = |line: String| {
        line.to_lowercase()
            .replace("character varying", "varchar")
            .replace("integer", "int")
            // How wide MySQL shows a number says nothing about it.
            .replace("bigint(20)", "bigint")
            .replace("int(11)", "int")
    };
    lines.into_iter().map(short).collect()
}

/// All that the database itself knows about its tables, in its own words.
pub(crate) async fn everything(database: &Database) -> Vec<String> {
    let queries: &[&str] = match database.kind {
        Kind::Sqlite => &[
            "SELECT type || name || tbl_name || coalesce(sql, '') FROM sqlite_master ORDER BY name",
        ],
        Kind::Postgres => &[
            "SELECT relname || relkind::text FROM pg_class \
             WHERE relnamespace = current_schema()::regnamespace ORDER BY 1",
            "SELECT pg_get_indexdef(indexrelid) FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid \
             WHERE relnamespace = current_schema()::regnamespace ORDER BY 1",
            "SELECT conname || pg_get_constraintdef(oid) FROM pg_constraint \
             WHERE connamespace = current_schema()::regnamespace ORDER BY 1",
            "SELECT tgname::text FROM pg_trigger ORDER BY 1",
            "SELECT sequencename || data_type::text || start_value || increment_by || max_value || cycle || cache_size \
             FROM pg_sequences WHERE schemaname = current_schema() ORDER BY 1",
        ],
        Kind::MySql => &[
            "SELECT CAST(CONCAT_WS(' ', table_name, table_type, engine, table_collation, row_format, create_options) AS CHAR) \
             FROM information_schema.tables WHERE table_schema = DATABASE() ORDER BY 1",
            "SELECT CAST(CONCAT_WS(' ', table_name, column_name, column_type, collation_name, column_default, extra) AS CHAR) \
             FROM information_schema.columns WHERE table_schema = DATABASE() ORDER BY 1",
            "SELECT CAST(CONCAT_WS(' ', table_name, index_name, seq_in_index, column_name, index_type, sub_part, nullable) AS CHAR) \
             FROM information_schema.statistics WHERE table_schema = DATABASE() ORDER BY 1",
            "SELECT CAST(trigger_name AS CHAR) FROM information_schema.triggers WHERE trigger_schema = DATABASE()",
        ],
    };
    let mut lines = structure(database).await;
    for query in queries {
        lines.extend(database.texts(query).await);
    }
    lines
}

const SQLITE_COLUMNS: &str = "
    SELECT t.name || '.' || c.name || ' ' || c.type
        || CASE WHEN c.\"notnull\" OR c.pk THEN '' ELSE ' null' END
        || CASE WHEN c.pk AND t.sql LIKE '%AUTOINCREMENT%' THEN ' auto' ELSE '' END
        || coalesce(' default ' || c.dflt_value, '')
    FROM sqlite_master AS t, pragma_table_xinfo(t.name) AS c
    WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite%' ORDER BY t.name, c.cid";

/// A number that is the primary key has no index of its own.
const SQLITE_KEYS: &str = "
    SELECT 'primary ' || t.name || ' (' || group_concat(c.name, ', ') || ')'
    FROM sqlite_master AS t, pragma_table_info(t.name) AS c
    WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite%' AND c.pk > 0 GROUP BY t.name
    UNION ALL SELECT * FROM (
        SELECT CASE WHEN i.\"unique\" THEN 'unique ' ELSE 'index ' END
            || t.name || CASE i.origin WHEN 'c' THEN '.' || i.name ELSE '' END
            || ' (' || (SELECT group_concat(name, ', ') FROM pragma_index_info(i.name)) || ')'
        FROM sqlite_master AS t, pragma_index_list(t.name) AS i
        WHERE t.type = 'table' AND i.origin <> 'pk')
    ORDER BY 1";

const SQLITE_CONSTRAINTS: &str = "
    SELECT 'foreign ' || t.name FROM sqlite_master AS t, pragma_foreign_key_list(t.name)
    UNION ALL SELECT 'check ' || name FROM sqlite_master WHERE sql LIKE '%CHECK%' ORDER BY 1";

const POSTGRES_COLUMNS: &str = "
    SELECT relname || '.' || attname || ' ' || format_type(atttypid, atttypmod)
        || CASE WHEN attnotnull THEN '' ELSE ' null' END
        || CASE attidentity WHEN 'd' THEN ' auto' WHEN 'a' THEN ' always auto' ELSE '' END
        || COALESCE(' default ' || pg_get_expr(adbin, adrelid), '')
    FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
        LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
    WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'
        AND attnum > 0 AND NOT attisdropped
    ORDER BY relname, attnum";

const POSTGRES_KEYS: &str = "
    SELECT CASE WHEN indisprimary THEN 'primary ' WHEN indisunique THEN 'unique ' ELSE 'index ' END
        || t.relname
        || CASE WHEN EXISTS (SELECT 1 FROM pg_constraint WHERE conindid = indexrelid)
            THEN '' ELSE '.' || i.relname END
        || ' (' || (
            SELECT string_agg(attname, ', ' ORDER BY position)
            FROM unnest(indkey) WITH ORDINALITY AS k (number, position)
                JOIN pg_attribute ON attrelid = indrelid AND attnum = k.number
        ) || ')'
    FROM pg_index JOIN pg_class AS t ON t.oid = indrelid JOIN pg_class AS i ON i.oid = indexrelid
    WHERE t.relnamespace = current_schema()::regnamespace ORDER BY 1";

const POSTGRES_CONSTRAINTS: &str = "
    SELECT CASE contype WHEN 'f' THEN 'foreign ' WHEN 'c' THEN 'check ' ELSE contype::text || ' ' END || relname
    FROM pg_constraint JOIN pg_class ON pg_class.oid = conrelid
    WHERE relnamespace = current_schema()::regnamespace AND contype NOT IN ('p', 'u', 'n') ORDER BY 1";

const MYSQL_COLUMNS: &str = "
    SELECT CAST(CONCAT(table_name, '.', column_name, ' ', column_type,
        IF(is_nullable = 'YES', ' null', ''), IF(extra = 'auto_increment', ' auto', extra),
        IF(COALESCE(column_default, 'NULL') = 'NULL', '', CONCAT(' default ', column_default))) AS CHAR)
    FROM information_schema.columns WHERE table_schema = DATABASE()
    ORDER BY table_name, ordinal_position";

/// A key that was given no name is called like its first column.
const MYSQL_KEYS: &str = "
    SELECT CAST(CONCAT(
        CASE WHEN index_name = 'PRIMARY' THEN 'primary ' WHEN non_unique = 0 THEN 'unique ' ELSE 'index ' END,
        table_name, IF(index_name IN ('PRIMARY', MIN(column_name)), '', CONCAT('.', index_name)),
        ' (', GROUP_CONCAT(column_name ORDER BY seq_in_index SEPARATOR ', '), ')') AS CHAR)
    FROM information_schema.statistics WHERE table_schema = DATABASE()
    GROUP BY table_name, index_name, non_unique ORDER BY 1";

const MYSQL_CONSTRAINTS: &str = "
    SELECT CAST(CONCAT(constraint_type, ' ', table_name) AS CHAR)
    FROM information_schema.table_constraints
    WHERE table_schema = DATABASE() AND constraint_type NOT IN ('PRIMARY KEY', 'UNIQUE') ORDER BY 1";
