use std::time::Duration;

use crate::wire::Open;

/// The settings of a client's core.
#[derive(Debug, Clone)]
pub(crate) struct CoreConfig {
    /// How many masters there are, in order of preference.
    pub(crate) masters: usize,
    /// Who the client says it is.
    pub(crate) introduction: Open,
    /// The most jobs that wait for a master.
    pub(crate) max_queue_jobs: usize,
    /// The most bytes of their payloads.
    pub(crate) max_queue_bytes: usize,
}

/// How long after a job's deadline a master that is there may still say what became of it: it knows better, and is as far away as the
/// job was.
pub(crate) const REPLY_SLACK: Duration = Duration::from_millis(100);
