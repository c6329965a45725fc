//! A service as the director sees it: a child process that reports.

use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};

use super::ground::Ground;
use super::service::{Report, Settings};

/// How long a service may be silent before it counts as hung: longer than anything it waits for.
const PATIENCE: Duration = Duration::from_secs(40);

/// A service that runs. Dropping it kills it.
#[derive(Debug)]
pub(super) struct ServiceProcess {
    child: Child,
    reports: Receiver<Report>,
    latest: Report,
}

impl ServiceProcess {
    /// Starts a service and waits until all workers are there and the load has begun.
    ///
    /// # Errors
    /// When it cannot be started, ends or hangs before that.
    pub(super) fn start(program: &Path, ground: &Ground, settings: &Settings) -> io::Result<Self> {
        let mut child = Command::new(program)
            .arg("service")
            .arg("--ground")
            .arg(ground.path())
            .args(["--life", &settings.life.to_string()])
            .args(["--seed", &settings.seed.to_string()])
            .args(["--workers", &settings.workers.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(ground.log()?)
            .spawn()?;
        let (sender, reports) = sync_channel(1024);
        if let Some(output) = child.stdout.take() {
            thread::spawn(move || {
                for line in BufReader::new(output).lines().map_while(Result::ok) {
                    match serde_json::from_str(&line) {
                        Ok(report) if sender.send(report).is_ok() => {}
                        _ => return,
                    }
                }
            });
        }
        // From here on the child is killed, whatever happens.
        let mut process = Self {
            child,
            reports,
            latest: Report::default(),
        };
        process.hear()?;
        Ok(process)
    }

    /// Waits for the next report. If that announces a pause, waits until it is over.
    ///
    /// # Errors
    /// When the service ends or hangs.
    pub(super) fn hear(&mut self) -> io::Result<&Report> {
        self.latest = self.reports.recv_timeout(PATIENCE).map_err(|error| {
            io::Error::other(match error {
                RecvTimeoutError::Timeout => "the service hangs",
                RecvTimeoutError::Disconnected => {
                    "the service ended too early, or reports nonsense"
                }
            })
        })?;
        if let Some(pause) = self.latest.pause {
            self.let_pause(pause)?;
        }
        Ok(&self.latest)
    }

    /// Waits until it has stopped itself, lets that last for a while and continues it.
    fn let_pause(&self, pause: Duration) -> io::Result<()> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let pid = pid.ok_or(io::ErrorKind::InvalidData)?;
        let until = Instant::now() + PATIENCE;
        let stopped = WaitIdOptions::STOPPED | WaitIdOptions::NOHANG;
        while waitid(WaitId::Pid(pid), stopped)?.is_none() {
            if Instant::now() > until {
                return Err(io::Error::other("the service never paused"));
            }
            thread::sleep(Duration::from_millis(1));
        }
        thread::sleep(pause);
        Ok(kill_process(pid, Signal::CONT)?)
    }

    /// Kills it, and returns what it reported last.
    ///
    /// # Errors
    /// When it had ended by itself.
    pub(super) fn kill(mut self) -> io::Result<Report> {
        if let Some(status) = self.child.try_wait()? {
            return Err(io::Error::other(format!("the service ended: {status}")));
        }
        self.child.kill()?;
        self.child.wait()?;
        if let Some(report) = self.reports.iter().last() {
            self.latest = report;
        }
        Ok(self.latest)
    }

    /// Tells it to end in order and waits for that. Returns what it reported last.
    ///
    /// # Errors
    /// When it hangs, or ends otherwise.
    pub(super) fn end(mut self) -> io::Result<Report> {
        drop(self.child.stdin.take());
        while !self.hear()?.last {}
        let until = Instant::now() + PATIENCE;
        loop {
            match self.child.try_wait()? {
                Some(status) if status.success() => return Ok(self.latest),
                Some(status) => {
                    return Err(io::Error::other(format!("the service failed: {status}")));
                }
                None if Instant::now() > until => {
                    return Err(io::Error::other("the service hangs at its end"));
                }
                None => thread::sleep(Duration::from_millis(5)),
            }
        }
    }
}

impl Drop for ServiceProcess {
    fn drop(&mut self) {
        // Both fail only where there is nothing left to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
