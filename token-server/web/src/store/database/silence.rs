use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use sqlx::{
    Connection,
    pool::{PoolConnectionMetadata, PoolOptions},
};
use tokio::time::{Instant, timeout};

/// How long a sign of life of a database server is waited for, before a connection is used again or after
/// it was.
pub(super) const SIGN_OF_LIFE: Duration = Duration::from_secs(1);

/// When a database last owed an answer. Connections that lie idle since before may be dead without
/// anybody having said so, and are tried out before they are used.
#[derive(Clone, Debug)]
pub(super) struct Silence {
    began: Instant,
    /// In milliseconds from then on; 0 is never.
    last: Arc<AtomicU64>,
}

impl Silence {
    pub(super) fn new() -> Self {
        Self {
            began: Instant::now(),
            last: Arc::default(),
        }
    }

    fn millis(&self, at: Instant) -> u64 {
        u64::try_from((at - self.began).as_millis()).unwrap_or(u64::MAX)
    }

    pub(super) fn note(&self) {
        let now = self.millis(Instant::now()).max(1);
        self.last.fetch_max(now, Ordering::Relaxed);
    }

    pub(super) fn is_since(&self, idle: Duration) -> bool {
        let used = Instant::now().checked_sub(idle).unwrap_or(self.began);
        self.last.load(Ordering::Relaxed) >= self.millis(used).max(1)
    }

    /// Has connections tried out that may have died in it.
    pub(super) fn watch<DB: sqlx::Database>(&self, options: PoolOptions<DB>) -> PoolOptions<DB> {
        let silence = self.clone();
        options.before_acquire(move |connection, metadata: PoolConnectionMetadata| {
            let is_suspect = silence.is_since(metadata.idle_for);
            Box::pin(async move {
                if !is_suspect {
                    return Ok(true);
                }
                match timeout(SIGN_OF_LIFE, connection.ping()).await {
                    Ok(answer) => answer.map(|()| true),
                    Err(_) => Err(sqlx::Error::PoolTimedOut),
                }
            })
        })
    }
}
