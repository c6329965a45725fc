use std::{path::PathBuf, time::Duration};

use sqlx::{error::DatabaseError, mysql::MySqlDatabaseError, sqlite::SqliteError};

/// Why the store could not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database file or its directory cannot be used.
    #[error("cannot use the database file {}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// It is a database, but not one of a token server.
    #[error("{name} is not a token server's database: {reason}")]
    Foreign {
        /// The file, or the server and the database's name.
        name: String,
        /// What is missing in it.
        reason: String,
    },
    /// No node takes another user. The operator adds one or raises a capacity.
    #[error("no node has room for another user")]
    NoNode,
    /// The service has a node of that URL already.
    #[error("there is a node {0} already")]
    NodeExists(String),
    /// A deleted account's record has lost its node, so there is nothing to send it to.
    #[error("a retired user has no node")]
    RetiredWithoutNode,
    /// The database keeps texts in a character set that lacks a letter of this one. Mozilla's servers
    /// left the choice to the database, and older ones of MySQL chose `latin1`.
    #[error("the database has no letters for it: {0}")]
    Unwritable(#[source] sqlx::Error),
    /// The database did not answer, or was locked for too long. Worth another try.
    #[error("the database is not available: {0}")]
    Unavailable(#[source] sqlx::Error),
    /// The database owes an answer for longer than a statement may take.
    #[error("the database has not answered within {0:?}")]
    Silent(Duration),
    /// The database answered with something that this server doesn't understand.
    #[error("the database answered wrongly: {0}")]
    Unexpected(#[source] sqlx::Error),
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::ColumnDecode { .. }
            | sqlx::Error::ColumnNotFound(_)
            | sqlx::Error::ColumnIndexOutOfBounds { .. }
            | sqlx::Error::Decode(_)
            | sqlx::Error::Encode(_)
            | sqlx::Error::TypeNotFound { .. }
            | sqlx::Error::RowNotFound => Self::Unexpected(error),
            sqlx::Error::Database(ref cause) if lacks_letters(cause.as_ref()) => {
                Self::Unwritable(error)
            }
            other => Self::Unavailable(other),
        }
    }
}

impl StoreError {
    /// Whether the same is worth another attempt at once: the connection broke, as idle ones do when
    /// the database restarts, or another writer was in the way.
    pub(super) fn is_transient(&self) -> bool {
        let Self::Unavailable(error) = self else {
            return false;
        };
        match error {
            sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed => true,
            sqlx::Error::Database(error) => lost_race(error.as_ref()),
            _ => false,
        }
    }

    /// Whether there is a row like the one to be added already.
    pub(super) fn is_duplicate(&self) -> bool {
        matches!(self, Self::Unavailable(sqlx::Error::Database(error)) if error.is_unique_violation())
    }
}

fn lacks_letters(error: &dyn DatabaseError) -> bool {
    /// Of MySQL: texts that cannot be compared, cannot be stored, cannot be converted, nor as a parameter.
    const MYSQL_NUMBERS: [u16; 4] = [1267, 1366, 3854, 3988];

    /// Of PostgreSQL: a character without an equivalent.
    const POSTGRES_STATE: &str = "22P05";

    if let Some(error) = error.try_downcast_ref::<MySqlDatabaseError>() {
        return MYSQL_NUMBERS.contains(&error.number());
    }
    error.code().is_some_and(|code| code == POSTGRES_STATE)
}

fn lost_race(error: &dyn DatabaseError) -> bool {
    /// Serialization failure, deadlock, lock not available, and PostgreSQL going down, or ending what was idle.
    const SQL_STATES: [&str; 6] = ["40001", "40P01", "55P03", "57P01", "57P03", "57P05"];
    const SQLITE_BUSY: i32 = 5;
    const SQLITE_LOCKED: i32 = 6;
    /// Of MySQL: a lock was not to be had in time, a deadlock, and a server going down, or ending what was idle.
    const MYSQL_NUMBERS: [u16; 4] = [1205, 1213, 1053, 4031];

    if let Some(error) = error.try_downcast_ref::<MySqlDatabaseError>() {
        return MYSQL_NUMBERS.contains(&error.number());
    }
    let Some(code) = error.code() else {
        return false;
    };
    if error.try_downcast_ref::<SqliteError>().is_some() {
        // SQLite's extended codes keep the primary one in their low byte.
        let primary = code.parse::<i32>().map(|code| code & 0xff);
        return matches!(primary, Ok(SQLITE_BUSY | SQLITE_LOCKED));
    }
    SQL_STATES.contains(&code.as_ref())
}
