//! The progress bar, for whoever waits at a terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::service::Report;

/// Shows on standard error how far a run is, if that is a terminal.
#[derive(Debug)]
pub(super) struct Progress {
    bar: ProgressBar,
    /// Of the lives before this one.
    elapsed: Duration,
    jobs: u64,
    redispatched: u64,
}

impl Progress {
    /// For a run with a load of this length.
    pub(super) fn new(load: Duration) -> Self {
        let bar = ProgressBar::new(milliseconds(load));
        // The template is a constant; were it wrong, the default style would do.
        if let Ok(style) = ProgressStyle::with_template("{bar:40} {percent:>3} % {msg}") {
            bar.set_style(style);
        }
        bar.set_message("waiting for the workers");
        Self {
            bar,
            elapsed: Duration::ZERO,
            jobs: 0,
            redispatched: 0,
        }
    }

    /// Shows how far the service of this life is.
    pub(super) fn show(&self, life: u32, elapsed: Duration, report: &Report) {
        let jobs = self.jobs + report.counted.submitted;
        let redispatched = self.redispatched + report.counted.redispatched;
        self.bar.set_position(milliseconds(self.elapsed + elapsed));
        self.bar.set_message(format!(
            "life {life} of the service, {jobs} jobs, {redispatched} redispatched"
        ));
    }

    /// Takes the end of a life into account.
    pub(super) fn pass(&mut self, elapsed: Duration, report: &Report) {
        self.elapsed += elapsed;
        self.jobs += report.counted.submitted;
        self.redispatched += report.counted.redispatched;
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
