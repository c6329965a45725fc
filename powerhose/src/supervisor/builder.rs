//! What a group of processes is made of.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::File;
use std::io;
use std::process::{Command, Stdio};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use tokio::sync::{broadcast, oneshot};

use super::backoff::Backoff;
use super::error::SpawnError;
use super::exits::BACKLOG;
use super::policy::{Policy, Rules};
use super::thread::{Shared, Supervisor};
use super::workers::Workers;
use crate::driver::child::Launcher;
use crate::driver::clock::Clock;
use crate::driver::wake;

/// Where a stream of the processes goes.
#[derive(Debug)]
#[non_exhaustive]
pub enum Output {
    /// Where this process's own one goes.
    Inherit,
    /// Nowhere.
    Null,
    /// To a file, a pipe or a socket, which all processes share. Open a file for appending, or they
    /// overwrite each other.
    To(File),
}

impl From<Output> for Stdio {
    fn from(output: Output) -> Self {
        match output {
            Output::Inherit => Self::inherit(),
            Output::Null => Self::null(),
            Output::To(file) => file.into(),
        }
    }
}

/// Describes a group of processes; made by [`Workers::builder`].
#[must_use = "nothing runs before `start`"]
pub struct WorkersBuilder {
    command: Command,
    count: usize,
    rules: Rules,
}

impl WorkersBuilder {
    pub(super) fn new(program: &OsStr) -> Self {
        Self {
            command: Command::new(program),
            count: 1,
            rules: Rules {
                backoff: Backoff {
                    initial: Duration::from_millis(100),
                    max: Duration::from_secs(10),
                },
                stable_after: Duration::from_secs(1),
                start_retries: Some(10),
                grace: Duration::from_secs(10),
            },
        }
    }

    /// Adds an argument. Never a secret: every user of the machine can read the arguments of every
    /// process. Pass the path of a file, or an environment variable, which only the same user can
    /// read.
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    /// Adds arguments; see [`arg`](Self::arg).
    pub fn args(mut self, args: impl IntoIterator<Item: AsRef<OsStr>>) -> Self {
        self.command.args(args);
        self
    }

    /// Sets a variable in the environment of the processes. The rest they inherit from this one.
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Where standard output goes. Inherited by default.
    pub fn stdout(mut self, output: Output) -> Self {
        self.command.stdout(output);
        self
    }

    /// Where standard error goes. Inherited by default.
    pub fn stderr(mut self, output: Output) -> Self {
        self.command.stderr(output);
        self
    }

    /// How many processes run. 1 by default; 0 starts none until [`set_count`](Workers::set_count).
    pub fn count(mut self, count: usize) -> Self {
        self.count = count;
        self
    }

    /// How long a process may take to end after `SIGTERM` before it gets `SIGKILL`, when a restart,
    /// a smaller count or the drop of the group ends it. 10 s by default. Give it longer than the
    /// longest job.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.rules.grace = grace;
        self
    }

    /// How long a place stays empty after its process died: `initial` after the first death, twice
    /// as long after each further one at start, at most `max`. A random part of up to a half is
    /// taken off, so that processes which died of one cause do not come back in step. 100 ms and 10
    /// s by default. Two zeros make a program that dies at start a busy loop.
    pub fn backoff(mut self, initial: Duration, max: Duration) -> Self {
        self.rules.backoff = Backoff { initial, max };
        self
    }

    /// How long a process must run so that its end, whatever the exit code, doesn't count as a
    /// death at start. 1 s by default. Such an end takes the backoff and the count of
    /// [`start_retries`](Self::start_retries) back to their beginning.
    pub fn stable_after(mut self, duration: Duration) -> Self {
        self.rules.stable_after = duration;
        self
    }

    /// How many times in a row a process that died at start, or couldn't be started, is tried again
    /// before its place is given up. 10 by default, which takes half a minute with the default
    /// backoff; `None` never gives up.
    ///
    /// A place that was given up stays empty until [`restart`](Workers::restart). Where input from
    /// outside may crash workers again and again within [`stable_after`](Self::stable_after),
    /// choose `None`: the backoff alone bounds what that costs.
    pub fn start_retries(mut self, retries: impl Into<Option<u32>>) -> Self {
        self.rules.start_retries = retries.into();
        self
    }

    /// Starts the processes and a thread that keeps them. Returns once their program is loaded, a
    /// few milliseconds for each.
    ///
    /// # Errors
    /// When one of them can't be started, the others are killed and the error names the program:
    ///
    /// ```
    /// let error = powerhose::Workers::builder("no-such-program").count(2).start().unwrap_err();
    /// assert!(error.to_string().contains("no-such-program"));
    /// ```
    pub fn start(self) -> Result<Workers, SpawnError> {
        let Self {
            command,
            count,
            rules,
        } = self;
        let program: OsString = command.get_program().to_owned();
        let (waker, sleeper) = wake::pair().map_err(SpawnError::Resources)?;
        let shared = Arc::new(Shared::new(waker, broadcast::Sender::new(BACKLOG)));
        let (ended, end) = oneshot::channel();
        let supervisor = Supervisor {
            program: program.clone(),
            launcher: Launcher::new(command),
            policy: Policy::new(rules, rand::random()),
            clock: Clock::new(),
            sleeper,
            shared: Arc::clone(&shared),
            children: BTreeMap::new(),
            _ended: ended,
        };
        let (started, outcome) = mpsc::sync_channel(1);
        let thread = thread::Builder::new()
            .name("powerhose-procs".to_owned())
            .spawn(move || supervisor.run(count, &started))
            .map_err(SpawnError::Resources)?;
        match outcome.recv() {
            Ok(Ok(())) => Ok(Workers::new(shared, thread, end, rules.grace)),
            Ok(Err(source)) => Err(SpawnError::Program { program, source }),
            Err(_) => Err(SpawnError::Resources(io::Error::other(
                "the supervising thread failed",
            ))),
        }
    }
}

/// Without arguments and environment: either may be none of the log's business.
impl fmt::Debug for WorkersBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkersBuilder")
            .field("program", &self.command.get_program())
            .field("count", &self.count)
            .field("rules", &self.rules)
            .finish_non_exhaustive()
    }
}
