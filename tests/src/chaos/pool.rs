//! The worker processes of a run, which outlive the services.

use std::io;
use std::path::Path;
use std::time::Duration;

use powerhose::{Output, Workers};
use rustix::process::{Pid, Signal, kill_process};

use super::ground::Ground;
use super::worker::Kind;

/// How long workers may take to leave when they are told to.
const GRACE: Duration = Duration::from_secs(10);

/// Good workers, and one of each bad kind. Those that die are replaced.
#[derive(Debug)]
pub(super) struct Pool {
    good: [Workers; 2],
    bad: Vec<Workers>,
}

impl Pool {
    /// Starts them, with this many good ones: half of them take their jobs at sockets of their own.
    ///
    /// # Errors
    /// When a process cannot be started.
    pub(super) fn start(program: &Path, ground: &Ground, good: usize) -> io::Result<Self> {
        Ok(Self {
            good: [
                group(program, ground, Kind::Good, good.div_ceil(2))?,
                group(program, ground, Kind::GoodBound, good / 2)?,
            ],
            bad: (Kind::BAD.into_iter())
                .map(|kind| group(program, ground, kind, 1))
                .collect::<Result<_, _>>()?,
        })
    }

    /// Continues those that were stopped by a service which did not live to continue them.
    pub(super) fn wake(&self) {
        for pid in self.good.iter().flat_map(Workers::pids) {
            let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
            // One that has died needs no waking.
            let _ = pid.map(|pid| kill_process(pid, Signal::CONT));
        }
    }

    /// Tells all to leave. Returns how many good ones had to be forced.
    pub(super) fn stop(self) -> usize {
        self.wake();
        drop(self.bad);
        let reports = self.good.map(|group| group.stop_blocking(GRACE));
        (reports.iter())
            .map(|report| report.killed + report.left.len())
            .sum()
    }
}

fn group(program: &Path, ground: &Ground, kind: Kind, count: usize) -> io::Result<Workers> {
    Workers::builder(program)
        .args(["worker", "--kind", kind.name(), "--ground"])
        .arg(ground.path())
        .count(count)
        .grace(GRACE)
        // They die young here, and no place is given up for it.
        .backoff(Duration::from_millis(20), Duration::from_millis(200))
        .start_retries(None)
        .stdout(Output::Null)
        .stderr(Output::To(ground.log()?))
        .start()
        .map_err(io::Error::other)
}
