//! The one seam between the store and three kinds of database: statements go in with their values, rows
//! come out. What the statements are is the business of [`sql`](super::sql).

mod lease;
mod open;
mod pool;
mod silence;
mod transaction;
mod value;

use std::time::Duration;

use sqlx::{MySql, Postgres, Sqlite};

use lease::within;
use pool::Pool;
pub(super) use transaction::Transaction;
use value::bound;
pub(super) use value::{Readable, Value};

use super::{
    StoreError,
    sql::{MYSQL, POSTGRES, SQLITE, Statements},
};
use crate::settings::{Database as Settings, DatabaseUrl};

/// Attempts of what is worth another one: a connection that broke, a lost race.
const ATTEMPTS: u32 = 5;

/// What is waited before the second attempt at most; doubled for each further one.
const PAUSE: Duration = Duration::from_millis(10);

/// The pools of connections.
#[derive(Debug)]
pub(super) enum Database {
    /// Any number of readers and one writer, so that this process never waits for its own lock.
    Sqlite {
        reader: Pool<Sqlite>,
        writer: Pool<Sqlite>,
    },
    Postgres(Pool<Postgres>),
    MySql(Pool<MySql>),
}

impl Database {
    pub(super) async fn open(settings: &Settings) -> Result<Self, StoreError> {
        match &settings.url {
            DatabaseUrl::Sqlite(path) => open::sqlite(path, settings).await,
            DatabaseUrl::Postgres(server) => open::postgres(server, settings).await,
            DatabaseUrl::MySql(server) => open::mysql(server, settings).await,
        }
    }

    pub(super) fn statements(&self) -> &'static Statements {
        match self {
            Self::Sqlite { .. } => &SQLITE,
            Self::Postgres(_) => &POSTGRES,
            Self::MySql(_) => &MYSQL,
        }
    }

    /// Reads. Connections that broke since they were used last, as after a restart of the database, are
    /// replaced on the way.
    pub(super) async fn rows<T: Readable>(
        &self,
        sql: &'static str,
        values: &[Value<'_>],
    ) -> Result<Vec<T>, StoreError> {
        let mut attempts = Attempts::default();
        loop {
            match self.try_rows(sql, values).await {
                Err(error) if attempts.again(&error).await => {}
                outcome => return outcome,
            }
        }
    }

    async fn try_rows<T: Readable>(
        &self,
        sql: &'static str,
        values: &[Value<'_>],
    ) -> Result<Vec<T>, StoreError> {
        match self {
            Self::Sqlite { reader, .. } => {
                let mut lease = reader.lease().await?;
                let query = bound!(sqlx::query_as(sql), values);
                within!(lease, connection => query.fetch_all(connection))
            }
            Self::Postgres(pool) => {
                let mut lease = pool.lease().await?;
                let query = bound!(sqlx::query_as(sql), values);
                within!(lease, connection => query.fetch_all(connection))
            }
            Self::MySql(pool) => {
                let mut lease = pool.lease().await?;
                let query = bound!(mysql sqlx::query_as(sql), values);
                within!(lease, connection => query.fetch_all(connection))
            }
        }
    }

    pub(super) async fn begin(&self) -> Result<Transaction, StoreError> {
        let mut transaction = match self {
            Self::Sqlite { writer, .. } => Transaction::Sqlite(writer.lease().await?),
            Self::Postgres(pool) => Transaction::Postgres(pool.lease().await?),
            Self::MySql(pool) => Transaction::MySql(pool.lease().await?),
        };
        transaction.begin().await?;
        Ok(transaction)
    }

    /// Closes every connection, after their statements in flight.
    pub(super) async fn close(&self) {
        match self {
            Self::Sqlite { reader, writer } => {
                reader.close().await;
                writer.close().await;
            }
            Self::Postgres(pool) => pool.close().await,
            Self::MySql(pool) => pool.close().await,
        }
    }
}

/// Counts the attempts of one piece of work.
#[derive(Debug, Default)]
pub(super) struct Attempts(u32);

impl Attempts {
    /// Whether to try again after `error`, once a pause is over. It is not the same for everybody, or
    /// those who met once would meet again.
    pub(super) async fn again(&mut self, error: &StoreError) -> bool {
        self.0 += 1;
        if self.0 >= ATTEMPTS || !error.is_transient() {
            return false;
        }
        let most = PAUSE * 2_u32.pow(self.0 - 1);
        tokio::time::sleep(most.mul_f64(rand::random())).await;
        true
    }
}

/// Does a piece of work in a transaction, and once more where that is worth it. What failed has left nothing behind, unless it was
/// the answer to a commit that got lost: so the work reads what it builds on, and does no harm when it is done again.
///
/// A macro, since no bound can say of a closure that its futures may be sent.
macro_rules! transact {
    ($database:expr, $transaction:ident => $work:expr) => {{
        let mut attempts = $crate::store::database::Attempts::default();
        loop {
            let attempt = async {
                let mut transaction = $database.begin().await?;
                let $transaction = &mut transaction;
                let outcome = $work.await;
                transaction.end(outcome).await
            };
            match attempt.await {
                Err(error) if attempts.again(&error).await => {}
                outcome => break outcome,
            }
        }
    }};
}

pub(super) use transact;
