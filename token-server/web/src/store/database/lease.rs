//! A connection that is borrowed from a pool for one piece of work. No answer is waited for without a limit, and a connection
//! that owes one is closed, never given back.

use std::{sync::Arc, time::Duration};

use tokio::{sync::OwnedSemaphorePermit, time::error::Elapsed};

use super::pool::{Loan, Shared};
use crate::store::StoreError;

/// A borrowed connection.
pub(in super::super) struct Lease<DB: sqlx::Database> {
    loan: Option<Loan<DB>>,
    limit: Duration,
    pool: Arc<Shared<DB>>,
    /// The database owes an answer.
    is_owed: bool,
    /// The database complained, perhaps before it closed the connection.
    complained: bool,
    in_transaction: bool,
    /// Free again once the connection is back.
    _place: OwnedSemaphorePermit,
}

impl<DB: sqlx::Database> Lease<DB> {
    pub(super) fn new(
        loan: Loan<DB>,
        place: OwnedSemaphorePermit,
        pool: Arc<Shared<DB>>,
        limit: Duration,
    ) -> Self {
        Self {
            loan: Some(loan),
            limit,
            pool,
            is_owed: false,
            complained: false,
            in_transaction: false,
            _place: place,
        }
    }

    /// The connection, for one statement, and how long its answer may be waited for. The outcome goes
    /// into [`settle`](Self::settle).
    pub(super) fn work(&mut self) -> (Duration, &mut DB::Connection) {
        self.is_owed = true;
        let loan = self.loan.as_mut().expect("it is taken by drop alone");
        (self.limit, &mut loan.connection)
    }

    pub(super) fn settle<T>(
        &mut self,
        outcome: Result<Result<T, sqlx::Error>, Elapsed>,
    ) -> Result<T, StoreError> {
        match outcome {
            Ok(outcome) => {
                // After its complaint, a database waits for the next statement; after any other error nobody
                // knows where it is.
                let complained = matches!(outcome, Err(sqlx::Error::Database(_)));
                self.complained |= complained;
                self.is_owed = outcome.is_err() && !complained;
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
        let Some(loan) = self.loan.take() else {
            return;
        };
        if self.is_owed {
            self.pool.note_silence();
        }
        if self.is_owed || self.in_transaction {
            self.pool.close_hard(loan);
        } else {
            self.pool.take_back(loan, self.complained);
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
