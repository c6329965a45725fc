//! Every statement of the store, by dialect. A dialect's file says how it writes each of them; what they
//! are for, and in which order their parameters come, is said here.

mod mysql;
mod postgres;
mod sqlite;

/// One dialect's statements. Parameters are listed in the order in which they appear.
#[derive(Debug)]
pub(super) struct Statements {
    /// Makes the tables in an empty database, and Sync's row in the table of services.
    pub(super) schema: &'static str,
    /// Lets nobody else make them meanwhile. `None` where the transaction does that by itself, or where
    /// it does no harm to make them twice.
    pub(super) lock_schema: Option<&'static str>,
    /// Gives that lock back where the end of the transaction doesn't.
    pub(super) unlock_schema: Option<&'static str>,
    /// Which of the three tables there are: one row with a name each.
    pub(super) tables: &'static str,
    /// Reads no row, but every column that is needed of every table.
    pub(super) columns: [&'static str; 3],

    /// A service's number and pattern. Name.
    pub(super) service: &'static str,
    /// Adds a service, unless there is one of that name. Name, pattern.
    pub(super) add_service: &'static str,
    /// Lets nobody else give a service its first node meanwhile. Service. `None` where the transaction
    /// does that by itself.
    pub(super) lock_nodes: Option<&'static str>,
    /// The URLs of a service's nodes. Service.
    pub(super) node_urls: &'static str,
    /// How many nodes a service has. Service.
    pub(super) count_nodes: &'static str,

    /// The newest rows of an account with their nodes: all that a known user's login needs. Email,
    /// service.
    pub(super) records: &'static str,
    /// Keeps other servers from an account until the end of the transaction, whether it has rows or not.
    /// Email, service. `None` where something else does that.
    pub(super) lock_name: Option<&'static str>,
    /// Keeps everybody from writing the account's rows in use until the end of the transaction, and gives
    /// those rows. Email, service. `None` where the transaction does that by itself.
    pub(super) lock_account: Option<&'static str>,
    /// The same for an account without rows, where `lock_account` finds nothing to lock. Service.
    pub(super) lock_service: Option<&'static str>,
    /// Adds an account's row. Service, email, node, generation, change of keys, client state, time.
    pub(super) insert: &'static str,
    /// Raises an account's numbers; guarded, so that they only ever rise, whoever else writes.
    /// Generation, change of keys, service, email, generation, change of keys.
    pub(super) update: &'static str,
    /// Marks an account's rows that are older. Time, service, email, time.
    pub(super) replace_all: &'static str,
    /// Marks one row. Time, number.
    pub(super) replace_one: &'static str,

    /// Adds a node. Service, URL, places, load, capacity, whether it is down, whether it backs off.
    pub(super) add_node: &'static str,
    /// Among the nodes with places left, the one with the least load for its capacity. Service.
    pub(super) best_node: &'static str,
    /// Takes a place at a node that has one and is open to users. Number.
    pub(super) occupy: &'static str,
    /// Opens nodes that have capacity but no places left: by a share of the capacity, rounded up.
    /// Share, service.
    pub(super) release: &'static str,

    /// Changes a node where a value is given. Capacity, places, load, whether it is down, whether it
    /// backs off; service, URL.
    pub(super) update_node: &'static str,
    /// A node's number. Service, URL.
    pub(super) node: &'static str,
    /// A node's number, after the end of every transaction that has written its row, and with nobody
    /// writing it until the end of this one. Service, URL.
    pub(super) lock_node: &'static str,
    /// Removes a node. Number.
    pub(super) delete_node: &'static str,
    /// Marks the rows of a node's users, who get another node when they come next. Time, node.
    pub(super) unassign: &'static str,
    /// One of those rows, if there are any. Node.
    pub(super) assigned: &'static str,
    /// Takes a place at a node, whether it has one or not. Number.
    pub(super) place: &'static str,
    /// How many accounts have a row in use that was made by then. Service, time.
    pub(super) count_users: &'static str,

    /// Marks an account's rows and gives them a generation that no login reaches. Time, generation,
    /// service, email.
    pub(super) retire: &'static str,
    /// Raises the generation of an account's row in use. Generation, service, email, generation.
    pub(super) raise: &'static str,

    /// How many rows were replaced before then. Service, time, least and greatest number.
    pub(super) count_old: &'static str,
    /// Those rows with their nodes, oldest first, from after a row's time and number. Service, time, least
    /// and greatest number; the row's time, its time, its number; most rows.
    pub(super) old_records: &'static str,
    /// A row's node, client state and time of making. Number.
    pub(super) link: &'static str,
    /// The same of the account's row before one. Email, service; the row's time, its time, its number.
    pub(super) link_before: &'static str,
    /// The same of the account's row after one. Parameters alike.
    pub(super) link_after: &'static str,
    /// Removes a row, unless it is in use. Number.
    pub(super) delete_old: &'static str,
    /// Gives a place at a node back. Number.
    pub(super) leave: &'static str,
    /// Marks a row that is marked as another time says. Time; number, the time that it has.
    pub(super) defer: &'static str,
    /// The name of the table of lists of users, if there is one.
    pub(super) access_table: &'static str,
    /// Makes that table, unless it is there.
    pub(super) access_schema: &'static str,
    /// Its rows: list, issuer, subject.
    pub(super) access_entries: &'static str,
    /// Adds a row, unless there is the same. List, issuer, subject.
    pub(super) add_access: &'static str,
    /// Removes a row. List, issuer, subject.
    pub(super) remove_access: &'static str,

    /// What names the key of an account's row in use: generation, change of keys, client state. Email,
    /// service.
    pub(super) key_in_use: &'static str,
}

pub(super) use mysql::MYSQL;
pub(super) use postgres::POSTGRES;
pub(super) use sqlite::SQLITE;

/// Asks for a sign of life that the tables take part in.
pub(super) const PING: &str = "SELECT COUNT(*) FROM services";

/// The columns that this server needs; a table that lacks one was made by something else.
const COLUMNS: [&str; 3] = [
    "SELECT id, service, pattern FROM services WHERE 1 = 0",
    "SELECT id, service, node, available, current_load, capacity, downed, backoff FROM nodes WHERE 1 = 0",
    "SELECT uid, service, email, generation, client_state, created_at, replaced_at, nodeid, keys_changed_at \
     FROM users WHERE 1 = 0",
];
