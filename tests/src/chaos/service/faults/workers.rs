//! What happens to good workers: `SIGKILL`, `SIGSTOP`, `SIGTERM`. Whoever dies is replaced by the director.

use std::io;
use std::sync::PoisonError;
use std::thread;
use std::time::{Duration, Instant};

use rand::RngExt;
use rustix::process::{Signal, kill_process};

use super::super::super::journal::{Detection, Entry};
use super::end_of::EndOf;
use super::{Injector, Victim};

/// How long the master may list a worker that has gone before the run calls that a failure.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often the master is asked whether it noticed: what a measured time may be too long by, besides the time of the question.
const LOOK_EVERY: Duration = Duration::from_micros(200);

impl Injector {
    pub(super) fn kill_workers(mut self) -> io::Result<()> {
        while self.wait(50..200) {
            if let Some(victim) = self.choose() {
                self.kill(&victim)?;
            }
        }
        Ok(())
    }

    pub(super) fn stop_workers(mut self) -> io::Result<()> {
        while self.wait(100..400) {
            let Some(victim) = self.choose() else {
                continue;
            };
            self.shared.journal.write(&Entry::Stopped)?;
            kill_process(victim.pid, Signal::STOP)?;
            // Often short, now and then longer than the master's heartbeats are patient.
            let span = self.random.random_range(0.0..1.0_f64);
            thread::sleep(Duration::from_secs_f64(0.01 + 1.5 * span * span * span));
            // One that the master has given up already is no measure of how soon it notices.
            if self.random.random_ratio(1, 4) && self.lists(&victim) {
                self.kill(&victim)?;
            } else {
                kill_process(victim.pid, Signal::CONT)?;
            }
        }
        Ok(())
    }

    /// Tells workers to leave in order, as a controller does that replaces them one by one.
    pub(super) fn drain_workers(mut self) -> io::Result<()> {
        while self.wait(300..1000) {
            let Some(victim) = self.choose() else {
                continue;
            };
            let common = self.common.clone();
            let _undisturbed = (common.undisturbed.read()).unwrap_or_else(PoisonError::into_inner);
            kill_process(victim.pid, Signal::TERM)?;
            self.shared
                .journal
                .write(&match self.time_to_leave(&victim) {
                    Some(_) => Entry::Drained,
                    None => Entry::Undrained,
                })?;
        }
        Ok(())
    }

    /// Kills a worker and waits until the master has noticed.
    fn kill(&self, victim: &Victim) -> io::Result<()> {
        let _undisturbed = (self.common.undisturbed.read()).unwrap_or_else(PoisonError::into_inner);
        let end = EndOf::watch(victim.pid)?;
        kill_process(victim.pid, Signal::KILL)?;
        let noticed = self.time_to_leave(victim);
        self.shared.journal.write(&match noticed {
            Some(noticed) => Entry::Killed(Detection {
                noticed,
                ended: end.time()?,
            }),
            None => Entry::Undetected,
        })
    }

    /// How long the master goes on listing a worker; `None` if that is too long.
    fn time_to_leave(&self, victim: &Victim) -> Option<Duration> {
        let began = Instant::now();
        loop {
            let is_listed = self.lists(victim);
            let elapsed = began.elapsed();
            if !is_listed {
                return Some(elapsed);
            }
            if elapsed > PATIENCE {
                return None;
            }
            thread::sleep(LOOK_EVERY);
        }
    }
}
