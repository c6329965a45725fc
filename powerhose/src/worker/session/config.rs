use std::time::Duration;

use crate::wire::{Register, limits};

/// What a session depends on besides its inputs.
#[derive(Debug, Clone)]
pub struct SessionConfig {
    /// What the worker offers. The session fills in `running` when it resumes.
    pub register: Register,
    /// How long to try to reach a master before giving up, from the start or from the moment it was lost. Default 60 s.
    pub reconnect_limit: Duration,
    /// The most jobs to start; then the worker leaves. Unlimited by default.
    pub max_jobs: Option<u64>,
    /// How long the worker lives; then it leaves. Unlimited by default.
    pub max_age: Option<Duration>,
    /// At most this much, at random, is added to `max_age`, so that workers started together do not leave together. Default 0.
    pub max_age_delta: Duration,
    /// A handler that runs longer is reported, once. Off by default.
    pub overrun: Option<Duration>,
}

impl SessionConfig {
    /// The defaults, for a worker that offers this.
    pub fn new(register: Register) -> Self {
        Self {
            register,
            reconnect_limit: limits::DEFAULT_RECONNECT_LIMIT,
            max_jobs: None,
            max_age: None,
            max_age_delta: Duration::ZERO,
            overrun: None,
        }
    }
}
