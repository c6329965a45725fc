use std::time::Duration;

use crate::wire::limits;

/// The settings of the frontend. Every limit has a default with which nothing needs to be set.
#[derive(Debug, Clone)]
pub struct FrontendConfig {
    /// How often clients ping; at least 1 ms. Default 1 s. To be the same as the workers'.
    pub heartbeat: Duration,
    /// After how many silent intervals a client counts as silent; at least 2. Default 3. Only after the grace, too, its session
    /// ends.
    pub misses: u32,
    /// The largest payload and result in bytes. Default 16 MiB. To be the same as the workers'.
    pub max_body: usize,
    /// How long a session and its jobs outlive the client's connection. Default 5 s; at most 49 days.
    pub grace: Duration,
    /// The most sessions at the same time. Default 1,024. A client beyond it is rejected.
    pub max_clients: usize,
    /// The most jobs of one client without a reply, and the most replies kept for it until it has acknowledged them; at least 1.
    /// Default 16,384. A job beyond it is `Overloaded`.
    pub max_client_jobs: usize,
    /// The most bytes of their payloads, and the most bytes of results kept. Default 64 MiB. A job beyond it is `Overloaded`.
    pub max_client_bytes: usize,
    /// Whether STATUS is answered. Default yes; no where operators have endpoints of their own.
    pub answers_status: bool,
}

impl Default for FrontendConfig {
    fn default() -> Self {
        Self {
            heartbeat: limits::DEFAULT_HEARTBEAT,
            misses: limits::DEFAULT_MISSES,
            max_body: limits::DEFAULT_MAX_BODY,
            grace: limits::DEFAULT_GRACE,
            max_clients: 1024,
            max_client_jobs: limits::DEFAULT_CLIENT_JOBS,
            max_client_bytes: limits::DEFAULT_CLIENT_BYTES,
            answers_status: true,
        }
    }
}

impl FrontendConfig {
    /// The settings with those changed that the protocol or the core cannot work with.
    pub(super) fn within_limits(self) -> Self {
        Self {
            heartbeat: self.heartbeat.max(Duration::from_millis(1)),
            misses: self.misses.max(2),
            grace: self.grace.min(Duration::from_millis(u32::MAX.into())),
            max_client_jobs: self.max_client_jobs.clamp(1, u32::MAX as usize),
            ..self
        }
    }

    /// How long a client may be silent before it loses its session.
    pub(super) fn silence_limit(&self) -> Duration {
        self.heartbeat * self.misses + self.grace
    }
}
