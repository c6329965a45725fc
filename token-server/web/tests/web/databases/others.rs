//! Other programs that use the same database, and are in the way.

use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, Connection, MySqlConnection, PgConnection};
use tokio::{sync::Mutex, task::JoinHandle};

use super::{Database, Kind};

/// Longer than anything takes here unless it hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// The kinds of databases whose transactions can wait for each other.
pub(crate) fn servers() -> impl Iterator<Item = Kind> {
    let wanted = Kind::wanted().into_iter();
    wanted.filter(|kind| *kind != Kind::Sqlite)
}

/// Another program's transaction.
pub(crate) enum Other {
    Postgres(PgConnection),
    MySql(MySqlConnection),
}

impl Other {
    pub(crate) async fn begin(database: &Database) -> Self {
        let url = &database.url;
        let mut other = match database.kind {
            Kind::Sqlite => unreachable!("SQLite has one writer at a time"),
            Kind::Postgres => Self::Postgres(PgConnection::connect(url).await.unwrap()),
            Kind::MySql => Self::MySql(MySqlConnection::connect(url).await.unwrap()),
        };
        other.execute("BEGIN").await;
        other
    }

    pub(crate) async fn execute(&mut self, sql: &str) {
        let sql = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
        let done = match self {
            Self::Postgres(connection) => sql.execute(connection).await.map(drop),
            Self::MySql(connection) => sql.execute(connection).await.map(drop),
        };
        done.unwrap();
    }

    pub(crate) async fn commit(mut self) {
        self.execute("COMMIT").await;
    }

    pub(crate) async fn roll_back(mut self) {
        self.execute("ROLLBACK").await;
    }
}

/// The transactions that wait for a lock, told from each other.
async fn waiting(database: &Database) -> Vec<String> {
    let sql = match database.kind {
        Kind::Sqlite => unreachable!("it doesn't tell"),
        Kind::Postgres => {
            "SELECT pid || ' ' || xact_start FROM pg_stat_activity \
             WHERE datname = current_database() AND wait_event_type = 'Lock'"
        }
        // Seconds are the finest that it tells, and the shortest that it waits.
        Kind::MySql => {
            "SELECT CAST(CONCAT(trx_mysql_thread_id, ' ', trx_started) AS CHAR) \
             FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT' \
                 AND trx_mysql_thread_id IN (SELECT id FROM information_schema.processlist WHERE db = DATABASE())"
        }
    };
    // MySQL repeats what it told unless nobody has asked for a tenth of a second.
    static TURN: Mutex<()> = Mutex::const_new(());
    let _turn = TURN.lock().await;
    tokio::time::sleep(Duration::from_millis(if database.kind == Kind::MySql {
        110
    } else {
        5
    }))
    .await;
    database.texts(sql).await
}

/// Waits until `work` has waited for a lock in that many transactions, or is through.
pub(crate) async fn wait_for_attempts<T>(
    database: &Database,
    work: &JoinHandle<T>,
    attempts: usize,
) {
    let start = Instant::now();
    let mut seen = Vec::new();
    while seen.len() < attempts && !work.is_finished() {
        assert!(start.elapsed() < PATIENCE, "nobody waits: {seen:?}");
        for transaction in waiting(database).await {
            if !seen.contains(&transaction) {
                seen.push(transaction);
            }
        }
    }
}

/// Waits until that many transactions wait for a lock.
pub(crate) async fn wait_for_transactions(database: &Database, count: usize) {
    let start = Instant::now();
    while waiting(database).await.len() < count {
        assert!(start.elapsed() < PATIENCE, "fewer than {count} wait");
    }
}
