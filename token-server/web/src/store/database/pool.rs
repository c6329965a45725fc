//! A pool of connections to one database, in front of sqlx's.
//!
//! sqlx asks a connection for a sign of life whenever it takes one back: a second round trip to the database for every request.
//! So what is lent here goes on to whoever comes next, and back to sqlx's pool once in [`AT_LARGE`] at most, where its age counts and
//! a dead one is found out. As many stay here as were in use at the same time.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use sqlx::pool::PoolConnection;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout},
};

use super::{
    lease::Lease,
    silence::{SIGN_OF_LIFE, Silence},
};
use crate::store::StoreError;

/// How much longer an answer is waited for than the database was told to take: its own complaint says more.
const SLACK: Duration = Duration::from_secs(1);

/// How long a connection goes from one piece of work to the next.
const AT_LARGE: Duration = Duration::from_secs(1);

/// Connections that are lent, or wait to be. Safe to use from any number of tasks; who gives up waiting for one leaves no trace.
#[derive(Debug)]
pub(in super::super) struct Pool<DB: sqlx::Database> {
    shared: Arc<Shared<DB>>,
}

/// What a connection that comes back is given to.
#[derive(Debug)]
pub(super) struct Shared<DB: sqlx::Database> {
    pool: sqlx::Pool<DB>,
    /// As many as there may be connections, so that whoever has one finds a connection sooner or later. Closed with the pool.
    places: Arc<Semaphore>,
    /// The one used last is last, and the next to be used.
    spares: Mutex<Vec<Spare<DB>>>,
    limit: Duration,
    /// Of a database that is asked over a network, and may stop to answer without a word.
    silence: Option<Silence>,
}

#[derive(Debug)]
struct Spare<DB: sqlx::Database> {
    loan: Loan<DB>,
    idle_since: Instant,
}

/// A connection of sqlx's pool.
#[derive(Debug)]
pub(super) struct Loan<DB: sqlx::Database> {
    pub(super) connection: PoolConnection<DB>,
    /// When sqlx's pool gave it out.
    since: Instant,
}

impl<DB: sqlx::Database> Pool<DB> {
    /// `statement_timeout` is what a statement may take. `silence` watches over the same pool.
    pub(super) fn new(
        pool: sqlx::Pool<DB>,
        statement_timeout: Duration,
        silence: Option<Silence>,
    ) -> Self {
        let most = pool.options().get_max_connections();
        let places = Semaphore::new(usize::try_from(most).unwrap_or(Semaphore::MAX_PERMITS));
        Self {
            shared: Arc::new(Shared {
                pool,
                places: Arc::new(places),
                spares: Mutex::default(),
                limit: statement_timeout.saturating_add(SLACK),
                silence,
            }),
        }
    }

    /// Borrows a connection. It is waited for no longer than the pool is set to.
    pub(super) async fn lease(&self) -> Result<Lease<DB>, StoreError> {
        let patience = self.shared.pool.options().get_acquire_timeout();
        let (loan, place) = timeout(patience, self.borrow())
            .await
            .unwrap_or(Err(sqlx::Error::PoolTimedOut))?;
        Ok(Lease::new(
            loan,
            place,
            Arc::clone(&self.shared),
            self.shared.limit,
        ))
    }

    async fn borrow(&self) -> Result<(Loan<DB>, OwnedSemaphorePermit), sqlx::Error> {
        let shared = &self.shared;
        let place = Arc::clone(&shared.places).acquire_owned().await;
        let place = place.map_err(|_| sqlx::Error::PoolClosed)?;
        let spare = shared.spares().pop();
        if let Some(Spare { loan, idle_since }) = spare {
            if !loan.is_due() && !shared.is_suspect(idle_since) {
                return Ok((loan, place));
            }
            shared.give_back(loan.connection).await;
        }
        let loan = Loan {
            connection: shared.pool.acquire().await?,
            since: Instant::now(),
        };
        Ok((loan, place))
    }

    /// Closes every connection, after its statement in flight.
    pub(super) async fn close(&self) {
        let shared = &self.shared;
        shared.places.close();
        shared.spares().clear();
        // What is left then goes with the process.
        let _ = timeout(shared.limit, shared.pool.close()).await;
    }
}

impl<DB: sqlx::Database> Loan<DB> {
    /// Whether sqlx's pool is to have it back.
    fn is_due(&self) -> bool {
        self.since.elapsed() >= AT_LARGE
    }
}

impl<DB: sqlx::Database> Shared<DB> {
    fn spares(&self) -> std::sync::MutexGuard<'_, Vec<Spare<DB>>> {
        self.spares.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a connection that is idle since then may have died without anybody having said so.
    fn is_suspect(&self, idle_since: Instant) -> bool {
        let silence = self.silence.as_ref();
        silence.is_some_and(|silence| silence.is_since(idle_since.elapsed()))
    }

    /// Takes note that the database owes an answer.
    pub(super) fn note_silence(&self) {
        if let Some(silence) = &self.silence {
            silence.note();
        }
    }

    /// Keeps a connection for the next piece of work, unless it has been at large for long enough: then it comes out again.
    pub(super) fn keep(&self, loan: Loan<DB>) -> Option<Loan<DB>> {
        let mut spares = self.spares();
        // Under the lock: what comes after the pool has been emptied must not stay in it.
        if loan.is_due() || self.places.is_closed() {
            return Some(loan);
        }
        let idle_since = Instant::now();
        spares.push(Spare { loan, idle_since });
        None
    }

    /// Gives a connection to sqlx's pool, which asks it for a sign of life, and would wait for that forever.
    pub(super) async fn give_back(&self, mut connection: PoolConnection<DB>) {
        if timeout(SIGN_OF_LIFE, connection.return_to_pool())
            .await
            .is_err()
        {
            self.note_silence();
        }
    }
}
