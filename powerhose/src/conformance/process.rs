//! The worker under test.

use std::fs::{self, File};
use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use super::error::Flaw;

/// The lines of the worker's own words that a failure shows.
const LAST_LINES: usize = 6;

/// A worker in a process group of its own. Dropping it kills the group.
pub(super) struct Process {
    child: Child,
    said: PathBuf,
}

impl Process {
    pub(super) fn start(
        command: &str,
        endpoint: &str,
        socket: &Path,
        reconnect_limit: Option<&str>,
        said: PathBuf,
    ) -> Result<Self, Flaw> {
        let failed = |error: io::Error| Flaw::kit("cannot start the worker", &error);
        let command = (command.replace("{endpoint}", endpoint))
            .replace("{socket}", &socket.display().to_string());
        let output = File::create(&said).map_err(failed)?;
        let errors = output.try_clone().map_err(failed)?;
        let mut shell = Command::new("sh");
        shell
            .arg("-c")
            .arg(format!("exec {command}"))
            .env("POWERHOSE_CONNECT", endpoint)
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .process_group(0);
        if let Some(limit) = reconnect_limit {
            shell.env("POWERHOSE_RECONNECT_LIMIT", limit);
        }
        let child = shell.spawn().map_err(failed)?;
        Ok(Self { child, said })
    }

    pub(super) fn terminate(&self) {
        if let Some(pid) = self.pid() {
            // Should it have ended, the check finds out.
            let _ = kill_process(pid, Signal::TERM);
        }
    }

    /// How it ended, if it has.
    pub(super) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// The last lines that it wrote.
    pub(super) fn last_words(&self) -> String {
        let said = fs::read(&self.said).unwrap_or_default();
        let said = String::from_utf8_lossy(&said);
        let lines: Vec<&str> = said.lines().collect();
        let from = lines.len().saturating_sub(LAST_LINES);
        lines[from..].join("\n")
    }

    fn pid(&self) -> Option<Pid> {
        Pid::from_raw(i32::try_from(self.child.id()).ok()?)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(pid) = self.pid() {
            // What the worker started is in its group; none of it is to stay.
            let _ = kill_process_group(pid, Signal::KILL);
        }
        let _ = self.child.wait();
    }
}

/// An exit status as a failure shows it.
pub(super) fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => status.to_string(),
    }
}
