//! Processes of the `powerhose` command that end with the test, and the place where they meet.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use powerhose::{Client, Report};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// How long anything may take before it counts as hung.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// What a worker runs for each job: it writes the job into a journal, waits for a file if the job says so, and answers with the job.
const SCRIPT: &str = r#"
job=$(cat)
echo "$job" >> "$1/journal"
case $job in
    wait*) while [ ! -e "$1/go" ]; do sleep 0.02; done ;;
esac
printf %s "$job"
"#;

/// The command with these arguments, and nothing from the environment of the test.
pub(crate) fn powerhose<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_powerhose"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("POWERHOSE_") {
            command.env_remove(name);
        }
    }
    command.args(arguments).stdin(Stdio::null());
    command
}

/// Runs a command to its end: its exit code and what it wrote.
pub(crate) fn run<'a>(
    arguments: impl IntoIterator<Item = &'a str>,
) -> (Option<i32>, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = powerhose(arguments).output().expect("the command runs");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (status.code(), text(stdout), text(stderr))
}

/// Waits until something is there.
pub(crate) fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    const PAUSE: Duration = Duration::from_millis(10);
    let mut waited = Duration::ZERO;
    loop {
        if let Some(found) = ask() {
            return found;
        }
        assert!(waited < PATIENCE, "did not come to pass: {what}");
        std::thread::sleep(PAUSE);
        waited += PAUSE;
    }
}

/// A process of the command. It is killed when this is dropped.
pub(crate) struct Running {
    child: Child,
    log: PathBuf,
}

impl Running {
    /// Its standard error goes to the file `log`.
    pub(crate) fn start(command: &mut Command, log: PathBuf) -> Self {
        let stderr = File::create(&log).expect("a file");
        let child = command.stdout(Stdio::null()).stderr(stderr).spawn();
        Self {
            child: child.expect("it starts"),
            log,
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it has not been waited for");
    }

    /// Kills it as the system does that has run out of memory.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("it has not been waited for");
        self.child.wait().expect("it is ours");
    }

    /// Its exit code.
    pub(crate) fn wait(&mut self) -> Option<i32> {
        until("the end of a process", || {
            self.child.try_wait().expect("it is ours")
        })
        .code()
    }

    /// What it has written to standard error so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).expect("the file is there")
    }

    /// Waits for a line in its log.
    pub(crate) fn logs(&self, what: &str) {
        until(what, || self.log().contains(what).then_some(()));
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A directory with the sockets of a master, the journal of its workers and the logs of all.
pub(crate) struct Place {
    directory: TempDir,
    logs: std::cell::Cell<u32>,
}

impl Place {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        fs::write(directory.path().join("script"), SCRIPT).expect("a file");
        Self {
            directory,
            logs: std::cell::Cell::new(0),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The path as an argument.
    pub(crate) fn argument(&self, name: &str) -> String {
        let path = self.path(name);
        path.to_str().expect("text").to_owned()
    }

    pub(crate) fn write(&self, name: &str, content: &str) -> String {
        fs::write(self.path(name), content).expect("a file");
        self.argument(name)
    }

    pub(crate) fn frontend(&self) -> String {
        format!("ipc://{}", self.argument("frontend"))
    }

    pub(crate) fn backend(&self) -> String {
        format!("ipc://{}", self.argument("backend"))
    }

    /// Starts a process whose log lies here.
    pub(crate) fn start(&self, command: &mut Command) -> Running {
        let number = self.logs.get();
        self.logs.set(number + 1);
        Running::start(command, self.path(&format!("log-{number}")))
    }

    /// The command that starts a master here.
    pub(crate) fn master_command(&self, options: &[&str]) -> Command {
        let (frontend, backend) = (self.frontend(), self.backend());
        let mut command = powerhose(["master", "--frontend", &frontend, "--backend", &backend]);
        command.args(options);
        command
    }

    /// Starts a master and waits until it answers.
    pub(crate) fn master(&self, options: &[&str]) -> Running {
        let master = self.start(&mut self.master_command(options));
        until("the master is ready", || {
            let report = Report::ask(&self.frontend(), Duration::from_millis(500));
            report.ok().filter(|report| report.pid == master.pid())
        });
        master
    }

    /// The options of a worker that runs the script, but for where it connects to.
    pub(crate) fn worker_options(&self) -> Vec<String> {
        let script = format!("sh {} {}", self.argument("script"), self.argument(""));
        let options = ["worker", "--per-job", "--slots", "4", "--exec", &script];
        options.map(str::to_owned).to_vec()
    }

    pub(crate) fn worker(&self) -> Running {
        let backend = self.backend();
        let mut command = powerhose(self.worker_options().iter().map(String::as_str));
        self.start(command.args(["--connect", &backend]))
    }

    pub(crate) fn client(&self) -> Client {
        Client::connect(self.frontend()).expect("an endpoint")
    }

    pub(crate) fn report(&self) -> Report {
        Report::ask(&self.frontend(), PATIENCE).expect("a report")
    }

    /// The jobs that workers have started, in order.
    pub(crate) fn journal(&self) -> Vec<String> {
        let text = fs::read_to_string(self.path("journal")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// How often workers have started this job.
    pub(crate) fn starts(&self, job: &str) -> usize {
        self.journal()
            .iter()
            .filter(|started| *started == job)
            .count()
    }

    pub(crate) fn is_started(&self, job: &str) {
        until("the start of a job", || {
            (self.starts(job) > 0).then_some(())
        });
    }

    /// Lets the jobs end that wait.
    pub(crate) fn go(&self) {
        self.write("go", "");
    }
}

impl AsRef<Path> for Place {
    fn as_ref(&self) -> &Path {
        self.directory.path()
    }
}
