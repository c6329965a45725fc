use std::{
    fs::OpenOptions,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
    time::Instant,
};

use sqlx::{
    ConnectOptions,
    pool::PoolOptions,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions},
};

use super::{
    super::{PAUSE, Pool},
    Database, foreign, prepare,
};
use crate::{settings::Database as Settings, store::StoreError};

pub(in super::super) async fn sqlite(
    path: &Path,
    settings: &Settings,
) -> Result<Database, StoreError> {
    make_private(path)?;
    let options = SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        .busy_timeout(settings.busy_timeout)
        // Statements are few and hold no values worth a line each.
        .disable_statement_logging();
    let name = path.display().to_string();
    let pool = |connections| pool(connections, settings);
    let writer = first_connection(&pool(1), &options, settings)
        .await
        .map_err(|error| match &error {
            StoreError::Unavailable(cause) if is_no_database(cause) => {
                foreign(&name, "it is no SQLite file")
            }
            _ => error,
        })?;
    let reader =
        pool(settings.connections.get()).connect_lazy_with(options.pragma("query_only", "1"));
    let pool = |pool| Pool::new(pool, settings.statement_timeout, None);
    let (reader, writer) = (pool(reader), pool(writer));
    let database = Database::Sqlite { reader, writer };
    prepare(&database, &name).await?;
    Ok(database)
}

/// SQLite doesn't wait for the lock that the change to a write-ahead log takes, whatever the time limit
/// says: of two servers that open a new file at once, one is sent away. So the waiting is done here.
async fn first_connection(
    pool: &PoolOptions<sqlx::Sqlite>,
    options: &SqliteConnectOptions,
    settings: &Settings,
) -> Result<sqlx::SqlitePool, StoreError> {
    let end = Instant::now() + settings.busy_timeout;
    loop {
        let outcome = pool.clone().connect_with(options.clone()).await;
        match outcome.map_err(StoreError::from) {
            Err(error) if error.is_transient() && Instant::now() < end => {
                tokio::time::sleep(PAUSE.mul_f64(rand::random())).await;
            }
            outcome => return outcome,
        }
    }
}

fn pool(connections: u32, settings: &Settings) -> PoolOptions<sqlx::Sqlite> {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .min_connections(connections)
        .acquire_timeout(settings.connection_timeout)
        // A connection to a file doesn't go stale; asking each time would cost a hop between threads.
        .test_before_acquire(false)
        .idle_timeout(None)
        .max_lifetime(None)
}

/// Makes the file readable by its owner alone before SQLite touches it; its journals inherit that.
fn make_private(path: &Path) -> Result<(), StoreError> {
    let file_error = |error| StoreError::File {
        path: path.to_owned(),
        error,
    };
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(file_error)?;
    let mode = file.metadata().map_err(file_error)?.permissions().mode();
    if mode & 0o077 != 0 {
        tracing::warn!(
            path = %path.display(),
            mode = format_args!("{:o}", mode & 0o777),
            "others may open the database file; chmod it to 600"
        );
    }
    Ok(())
}

fn is_no_database(error: &sqlx::Error) -> bool {
    const SQLITE_NOTADB: &str = "26";
    error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code)
        .is_some_and(|code| code == SQLITE_NOTADB)
}
