//! A pool of connections to one database, in front of sqlx's.
//!
//! sqlx asks a connection for a sign of life whenever it takes one back: a second round trip to the database for every request.
//! So what is lent here goes on to whoever comes next, and back to sqlx's pool after about [`AT_LARGE`], which finds out whether it
//! lives, and closes what is old or has been idle for long.

#[cfg(test)]
mod tests;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use sqlx::pool::PoolConnection;
use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, sleep, timeout},
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
    spares: Mutex<Spares<DB>>,
    /// sqlx's pool cannot take anything back without one.
    runtime: Handle,
    limit: Duration,
    /// Of a database that is asked over a network, and may stop to answer without a word.
    silence: Option<Silence>,
}

/// Connections between two pieces of work.
#[derive(Debug)]
struct Spares<DB: sqlx::Database> {
    /// The one used last is last, and the next to be used.
    idle: Vec<Spare<DB>>,
    /// Whether a task sees to it that they go back.
    is_swept: bool,
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
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
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
                spares: Mutex::new(Spares {
                    idle: Vec::new(),
                    is_swept: false,
                }),
                runtime: Handle::current(),
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
        while let Some(Spare { loan, idle_since }) = shared.take() {
            if !shared.is_suspect(idle_since) {
                return Ok((loan, place));
            }
            // To ask it may take as long as to connect anew.
            drop(loan.connection.detach());
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
        shared.spares().idle.clear();
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
    fn spares(&self) -> MutexGuard<'_, Spares<DB>> {
        self.spares.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Option<Spare<DB>> {
        self.spares().idle.pop()
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

    /// Takes back a connection that owes nothing. It goes to the next piece of work unless it has been at large for long enough, or
    /// is to be `asked` whether it lives.
    pub(super) fn take_back(self: &Arc<Self>, loan: Loan<DB>, asked: bool) {
        let mut spares = self.spares();
        // Under the lock: what comes after the pool has been emptied must not stay in it.
        if asked || loan.is_due() || self.places.is_closed() {
            drop(spares);
            return self.give_back(loan.connection);
        }
        let idle_since = Instant::now();
        spares.idle.push(Spare { loan, idle_since });
        if !std::mem::replace(&mut spares.is_swept, true) {
            self.runtime.spawn(sweep(Arc::downgrade(self)));
        }
    }

    /// Closes a connection without a word, so that the database rolls back what it had begun.
    pub(super) fn close_hard(&self, loan: Loan<DB>) {
        let _runtime = self.runtime.enter();
        drop(loan.connection.detach());
    }

    /// Gives a connection to sqlx's pool, which asks it for a sign of life, and would wait for that forever.
    fn give_back(self: &Arc<Self>, mut connection: PoolConnection<DB>) {
        let shared = Arc::clone(self);
        self.runtime.spawn(async move {
            if timeout(SIGN_OF_LIFE, connection.return_to_pool())
                .await
                .is_err()
            {
                shared.note_silence();
            }
        });
    }
}

impl<DB: sqlx::Database> Drop for Shared<DB> {
    fn drop(&mut self) {
        let _runtime = self.runtime.enter();
        self.spares().idle.clear();
    }
}

/// Gives back what has been at large for long enough, as long as there is anything.
async fn sweep<DB: sqlx::Database>(shared: Weak<Shared<DB>>) {
    loop {
        sleep(AT_LARGE).await;
        let Some(shared) = shared.upgrade() else {
            return;
        };
        let (due, is_done) = {
            let mut spares = shared.spares();
            let due = spares.idle.extract_if(.., |spare| spare.loan.is_due());
            let due: Vec<_> = due.collect();
            // Whatever comes now has another task begin.
            spares.is_swept = !spares.idle.is_empty();
            (due, !spares.is_swept)
        };
        for spare in due {
            shared.give_back(spare.loan.connection);
        }
        if is_done {
            return;
        }
    }
}
