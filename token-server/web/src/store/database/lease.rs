//! Connections that are borrowed from a pool for one piece of work. No answer is waited for without a
//! limit, and a connection that owes one is closed, never given back.

use std::time::Duration;

use sqlx::pool::PoolConnection;
use tokio::{
    runtime::Handle,
    time::{error::Elapsed, timeout},
};

use super::silence::{SIGN_OF_LIFE, Silence};
use crate::store::StoreError;

/// How much longer an answer is waited for than the database was told to take: its own complaint says more.
const SLACK: Duration = Duration::from_secs(1);

/// A pool of connections to one database.
#[derive(Debug)]
pub(in super::super) struct Pool<DB: sqlx::Database> {
    pool: sqlx::Pool<DB>,
    limit: Duration,
    /// Of a database that is asked over a network, and may stop to answer without a word.
    silence: Option<Silence>,
}

impl<DB: sqlx::Database> Pool<DB> {
    /// `statement_timeout` is what a statement may take. `silence` watches over the same pool.
    pub(super) fn new(
        pool: sqlx::Pool<DB>,
        statement_timeout: Duration,
        silence: Option<Silence>,
    ) -> Self {
        Self {
            pool,
            limit: statement_timeout.saturating_add(SLACK),
            silence,
        }
    }

    /// Borrows a connection. The pool waits for one no longer than it is set to.
    pub(super) async fn lease(&self) -> Result<Lease<DB>, StoreError> {
        Ok(Lease {
            connection: Some(self.pool.acquire().await?),
            limit: self.limit,
            silence: self.silence.clone(),
            is_owed: false,
            in_transaction: false,
        })
    }

    /// Closes every connection, after its statement in flight.
    pub(super) async fn close(&self) {
        // What is left then goes with the process.
        let _ = timeout(self.limit, self.pool.close()).await;
    }
}

/// A borrowed connection.
pub(in super::super) struct Lease<DB: sqlx::Database> {
    connection: Option<PoolConnection<DB>>,
    limit: Duration,
    silence: Option<Silence>,
    /// The database owes an answer.
    is_owed: bool,
    in_transaction: bool,
}

impl<DB: sqlx::Database> Lease<DB> {
    /// The connection, for one statement, and how long its answer may be waited for. The outcome goes
    /// into [`settle`](Self::settle).
    pub(super) fn work(&mut self) -> (Duration, &mut DB::Connection) {
        self.is_owed = true;
        let connection = self.connection.as_mut();
        (self.limit, connection.expect("it is taken by drop alone"))
    }

    pub(super) fn settle<T>(
        &mut self,
        outcome: Result<Result<T, sqlx::Error>, Elapsed>,
    ) -> Result<T, StoreError> {
        match outcome {
            Ok(outcome) => {
                // After its complaint, a database waits for the next statement; after any other error nobody
                // knows where it is.
                self.is_owed = !matches!(outcome, Ok(_) | Err(sqlx::Error::Database(_)));
                Ok(outcome?)
            }
            Err(_) => Err(StoreError::Silent(self.limit)),
        }
    }

    /// Says that a transaction begins, or has ended.
    pub(super) fn set_in_transaction(&mut self, is_open: bool) {
        self.in_transaction = is_open;
    }
}

impl<DB: sqlx::Database> Drop for Lease<DB> {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else {
            return;
        };
        if self.is_owed || self.in_transaction {
            if let (true, Some(silence)) = (self.is_owed, &self.silence) {
                silence.note();
            }
            // Closed, so the database rolls back.
            drop(connection.detach());
            return;
        }
        let Some(silence) = self.silence.take() else {
            return;
        };
        // The pool asks for a sign of life before it takes a connection back, and would wait for it forever.
        let returned = connection.return_to_pool();
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move {
                if timeout(SIGN_OF_LIFE, returned).await.is_err() {
                    silence.note();
                }
            });
        }
    }
}

/// Has a statement done on a lease's connection, within its limit.
macro_rules! within {
    ($lease:expr, $connection:ident => $statement:expr) => {{
        let (limit, $connection) = $lease.work();
        let outcome = tokio::time::timeout(limit, $statement).await;
        $lease.settle(outcome)
    }};
}

pub(super) use within;
