//! What must hold between two events, for property tests and for debugging.

use super::Frontend;

/// Fails the check with what was found.
macro_rules! must {
    ($condition:expr, $($what:tt)+) => {
        if !$condition {
            return Err(format!($($what)+));
        }
    };
}

impl Frontend {
    /// Checks every table against the others. It looks at each client and each job, and changes nothing.
    ///
    /// # Errors
    /// What contradicts what, for whoever debugs the core: after a call of [`handle`](Self::handle) nothing may.
    pub fn check_invariants(&self) -> Result<(), String> {
        let mut jobs = 0;
        for client in self.clients.iter() {
            let key = client.key;
            jobs += client.jobs.len();
            let mut bytes = 0;
            for (sequence, ticket) in &client.jobs {
                let job = self.job(*ticket);
                let job = job.ok_or(format!("{key:?} has job {sequence}, which is nowhere"))?;
                must!(
                    (job.client, job.sequence) == (key, *sequence),
                    "{key:?} has job {sequence}, which is another one's"
                );
                bytes += job.bytes;
            }
            must!(
                bytes == client.bytes,
                "{key:?} has {bytes} bytes, not {}",
                client.bytes
            );
            must!(
                client.jobs.len() <= self.highest_jobs,
                "{key:?} has {} jobs",
                client.jobs.len()
            );
            must!(
                client.kept.len() <= self.highest_jobs && client.kept.bytes() <= self.highest_bytes,
                "{} replies of {} bytes are kept for {key:?}",
                client.kept.len(),
                client.kept.bytes()
            );
            must!(
                client.replied + client.jobs.len() as u64 <= client.submitted,
                "{key:?} submitted {} jobs and got more replies",
                client.submitted
            );
            must!(client.armed.is_some(), "{key:?} is never looked at again");
            must!(
                self.clients.by_session(key.session) == Some(key)
                    && (client.connection)
                        .is_none_or(|at| self.clients.by_connection(at) == Some(key)),
                "{key:?} is not found"
            );
        }
        must!(
            jobs == self.jobs.len(),
            "{} jobs, {jobs} of them a client's",
            self.jobs.len()
        );
        must!(
            self.clients.len() <= self.config.max_clients,
            "{} clients",
            self.clients.len()
        );
        let most = 4096 + 8 * self.clients.len();
        must!(self.timers.len() <= most, "{} timers", self.timers.len());
        Ok(())
    }
}
