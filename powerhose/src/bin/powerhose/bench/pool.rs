use std::process::{Child, Command, Stdio};
use std::time::Duration;

use powerhose::JobRunner;
use rustix::process::{Pid, Signal, kill_process};
use sysexits::ExitCode;

use crate::failure::Failure;

/// How long workers may take to start.
const PATIENCE: Duration = Duration::from_secs(30);

/// Worker processes of this very program. Dropping it ends them.
pub(super) struct Pool(Vec<Child>);

impl Pool {
    pub(super) fn start(
        exec: &str,
        per_job: bool,
        workers: u16,
        endpoint: &str,
    ) -> Result<Self, Failure> {
        let start = |error| Failure::system("start a worker", &error);
        let program = std::env::current_exe().map_err(start)?;
        let mut pool = Self(Vec::new());
        for _ in 0..workers {
            let mut command = Command::new(&program);
            command
                .args(["worker", "--log", "warn", "--connect", endpoint])
                .args(["--reconnect-limit", "10s", "--exec", exec])
                .stdin(Stdio::null())
                .stdout(Stdio::null());
            if per_job {
                command.arg("--per-job");
            }
            pool.0.push(command.spawn().map_err(start)?);
        }
        Ok(pool)
    }

    pub(super) async fn wait(&self, runner: &JobRunner) -> Result<(), Failure> {
        (runner.wait_for_workers(self.0.len(), PATIENCE).await)
            .map_err(|error| Failure::new(ExitCode::Unavailable, error.to_string()))
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        for worker in &self.0 {
            // It may have ended; it is not reaped, so its number is nobody else's.
            let _ = kill_process(Pid::from_child(worker), Signal::TERM);
        }
        for worker in &mut self.0 {
            let _ = worker.wait();
        }
    }
}
