//! Processes of a run: this program again in another role, or other programs that end with it.

use std::ffi::OsStr;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::usage::Usage;

/// How long a process may take to say something that is expected of it, or to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// Lines that a process may be ahead of its reader.
const LINES: usize = 1024;

/// A process that ends in order when its standard input closes, which also happens when its starter dies. Dropping it kills it.
#[derive(Debug)]
pub struct RoleProcess {
    role: String,
    child: Child,
    lines: Receiver<String>,
}

impl RoleProcess {
    /// Starts this program with the role as its first argument.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn start<A: AsRef<OsStr>>(
        role: &str,
        arguments: impl IntoIterator<Item = A>,
    ) -> io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        Self::spawn(role, command.arg(role).args(arguments))
    }

    /// Starts another program, which the system kills when its starter dies: the thread that calls this, which must outlive it.
    ///
    /// # Errors
    /// When the system refuses, or has no `setpriv`, which util-linux brings.
    pub fn start_program(role: &str, program: &Command) -> io::Result<Self> {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]);
        command.arg(program.get_program()).args(program.get_args());
        for (name, value) in program.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        Self::spawn(role, &mut command)
            .map_err(|error| io::Error::other(format!("setpriv (of util-linux): {error}")))
    }

    fn spawn(role: &str, command: &mut Command) -> io::Result<Self> {
        let mut child = (command.stdin(Stdio::piped()).stdout(Stdio::piped())).spawn()?;
        let (sender, lines) = sync_channel(LINES);
        if let Some(output) = child.stdout.take() {
            thread::spawn(move || {
                for line in BufReader::new(output).lines().map_while(Result::ok) {
                    if sender.send(line).is_err() {
                        return;
                    }
                }
            });
        }
        let role = role.to_owned();
        Ok(Self { role, child, lines })
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The next line that it writes.
    ///
    /// # Errors
    /// When it ends or hangs instead.
    pub fn line(&self) -> io::Result<String> {
        self.lines.recv_timeout(PATIENCE).map_err(|error| {
            self.failed(match error {
                RecvTimeoutError::Timeout => "hangs",
                RecvTimeoutError::Disconnected => "ended too early",
            })
        })
    }

    /// The next line, if one comes within this time.
    ///
    /// # Errors
    /// When it ends instead.
    pub fn line_within(&self, time: Duration) -> io::Result<Option<String>> {
        match self.lines.recv_timeout(time) {
            Ok(line) => Ok(Some(line)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(self.failed("ended too early")),
        }
    }

    /// Writes a line to its standard input.
    ///
    /// # Errors
    /// When it has ended.
    pub fn say(&mut self, line: &str) -> io::Result<()> {
        let input = self.child.stdin.as_mut();
        writeln!(input.ok_or(io::ErrorKind::BrokenPipe)?, "{line}")
    }

    /// What it uses at present.
    ///
    /// # Errors
    /// When it has ended.
    pub fn usage(&self) -> io::Result<Usage> {
        Usage::of(self.id())
    }

    /// Kills it.
    ///
    /// # Errors
    /// When it had ended by itself.
    pub fn kill(mut self) -> io::Result<()> {
        self.check()?;
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Makes sure that it runs.
    ///
    /// # Errors
    /// When it has ended.
    pub fn check(&mut self) -> io::Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => Err(self.failed(&format!("ended too early: {status}"))),
        }
    }

    /// Tells it to end in order, waits for that and returns the last line that it wrote and nobody read.
    ///
    /// # Errors
    /// When it hangs, or ends otherwise.
    pub fn end(mut self) -> io::Result<Option<String>> {
        drop(self.child.stdin.take());
        self.wait()
    }

    /// The same for a program that ends in order on SIGTERM.
    ///
    /// # Errors
    /// The same.
    pub fn terminate(mut self) -> io::Result<Option<String>> {
        self.check()?;
        kill_process(Pid::from_child(&self.child), Signal::TERM)?;
        self.wait()
    }

    fn wait(&mut self) -> io::Result<Option<String>> {
        let until = Instant::now() + PATIENCE;
        let mut last = None;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => last = Some(line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => return Err(self.failed("hangs at its end")),
            }
        }
        // Its output has closed: it is about to end.
        let status = self.child.wait()?;
        if status.success() {
            Ok(last)
        } else {
            Err(self.failed(&format!("failed: {status}")))
        }
    }

    fn failed(&self, what: &str) -> io::Error {
        io::Error::other(format!("the {} process {what}", self.role))
    }
}

impl Drop for RoleProcess {
    fn drop(&mut self) {
        // Both fail only where there is nothing left to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// In such a process: blocks until it is told to end.
pub fn wait_for_end() {
    // Nothing is ever written there; an error is an end as well.
    let _ = io::stdin().read(&mut [0]);
}

/// In such a process: writes a line to its starter.
///
/// # Errors
/// When that has gone.
pub fn tell(line: &str) -> io::Result<()> {
    let mut output = io::stdout().lock();
    writeln!(output, "{line}")?;
    output.flush()
}
