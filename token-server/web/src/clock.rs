//! The one place of this crate's routes that reads clocks: once per request, when it arrives.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// When a request came, and by when it must be answered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    /// On the monotonic clock. Every job and query of the request ends by then.
    pub(crate) deadline: Instant,
    /// Wall time in milliseconds since 1970. Every expiry is judged and set by it.
    pub(crate) now_ms: u64,
}

impl Arrival {
    pub(crate) fn now(timeout: Duration) -> Self {
        Self {
            deadline: Instant::now() + timeout,
            now_ms: now_ms(),
        }
    }

    /// What is left until the deadline.
    pub(crate) fn remaining(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// What one part of a health check may take, at most `limit`: the others, and the answer, need time
    /// as well.
    pub(crate) fn share(&self, limit: Duration) -> Duration {
        limit.min(self.remaining() / 2)
    }

    pub(crate) fn now_s(&self) -> u64 {
        self.now_ms / 1000
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is where wall time comes from"
)]
/// Milliseconds since 1970; a clock before that says 1970.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    })
}
