//! The processes of a run.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use powerhose::Report;
use serde::Serialize;

use super::plan::{Part, Plan};
use crate::role_process::RoleProcess;
use crate::standalone_process::{backend, frontend};
use crate::{binaries, cpp, paths, python};

/// How long a job takes in every worker: several times what the slowest of the languages adds to it.
const WORK: Duration = Duration::from_millis(2);

/// Workers in each language.
const EACH: usize = 2;

/// How long anything may take but jobs.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long there may be no outcome at all: longer than any job may take.
const SILENCE: Duration = Duration::from_secs(120);

/// How often the master, or each of the clients, is asked.
const ASK_EVERY: Duration = Duration::from_millis(100);
const LISTEN: Duration = Duration::from_millis(2);

/// What a worker is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Language {
    /// With the library of this repository.
    Rust,
    /// With its Python package.
    Python,
    /// With its C++ headers.
    Cpp,
}

impl Language {
    pub(super) const ALL: [Self; 3] = [Self::Rust, Self::Python, Self::Cpp];

    /// What a person reads.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rust => "Rust",
            Self::Python => "Python",
            Self::Cpp => "C++",
        }
    }
}

fn source(name: &str) -> PathBuf {
    paths::repository().join("tests/src/mixed").join(name)
}

/// A Python program of the run, with the package at hand.
fn python_program(name: &str) -> Command {
    let mut command = python::command(&source(name));
    command.env("PYTHONPATH", python::package());
    command
}

/// `powerhose master` in a process of its own.
pub(super) struct Master(RoleProcess);

impl Master {
    /// Returns when it listens.
    pub(super) fn start(place: &Path) -> io::Result<Self> {
        let mut command = Command::new(binaries::binary("powerhose"));
        command.args(["master", "--log", "error"]);
        command.args(["--frontend", &frontend(place)]);
        command.args(["--backend", &backend(place)]);
        let master = Self(RoleProcess::start_program("master", &command)?);
        ask(place)?;
        Ok(master)
    }

    pub(super) fn kill(self) -> io::Result<()> {
        self.0.kill()
    }

    pub(super) fn end(self) -> io::Result<()> {
        self.0.terminate().map(drop)
    }
}

pub(super) fn ask(place: &Path) -> io::Result<Report> {
    Report::ask(&frontend(place), PATIENCE).map_err(io::Error::other)
}

/// A worker, or one that was.
pub(super) struct Worker {
    pub(super) language: Language,
    pub(super) pid: u32,
    /// Where it writes down what it starts.
    pub(super) executions: PathBuf,
    pub(super) is_killed: bool,
    /// `None` once it has ended.
    process: Option<RoleProcess>,
}

impl Worker {
    fn start(language: Language, number: usize, cpp: &Path, place: &Path) -> io::Result<Self> {
        let executions = place.join(format!("executions-{}-{number}", language.name()));
        let arguments: [OsString; 3] = [
            backend(place).into(),
            executions.clone().into(),
            WORK.as_micros().to_string().into(),
        ];
        let program =
            |mut command: Command| RoleProcess::start_program("worker", command.args(&arguments));
        let process = match language {
            Language::Rust => {
                let mut command = Command::new(std::env::current_exe()?);
                command.arg("worker");
                program(command)
            }
            Language::Python => program(python_program("worker.py")),
            Language::Cpp => program(Command::new(cpp)),
        }?;
        Ok(Self {
            language,
            pid: process.id(),
            executions,
            is_killed: false,
            process: Some(process),
        })
    }
}

/// All workers.
pub(super) struct Workers(pub(super) Vec<Worker>);

impl Workers {
    /// Returns when the master knows all of them.
    pub(super) fn start(place: &Path) -> io::Result<Self> {
        let cpp = cpp::compile("tests/src/mixed/worker.cpp", place);
        let workers = (Language::ALL.into_iter())
            .flat_map(|language| (0..EACH).map(move |number| (language, number)))
            .map(|(language, number)| Worker::start(language, number, &cpp, place));
        let workers = Self(workers.collect::<io::Result<_>>()?);
        workers.wait_until_known(place)?;
        Ok(workers)
    }

    /// Kills one that is written in this language.
    pub(super) fn kill(&mut self, language: Language) -> io::Result<()> {
        let mut alive =
            (self.0.iter_mut()).filter(|worker| worker.language == language && !worker.is_killed);
        let victim = alive.next().ok_or(io::ErrorKind::NotFound)?;
        victim.is_killed = true;
        victim.process.take().map_or(Ok(()), RoleProcess::kill)
    }

    /// Waits until the master has exactly those that live.
    pub(super) fn wait_until_known(&self, place: &Path) -> io::Result<Report> {
        let living = self.0.iter().filter(|worker| !worker.is_killed);
        let mut expected: Vec<u32> = living.map(|worker| worker.pid).collect();
        expected.sort_unstable();
        let until = Instant::now() + PATIENCE;
        loop {
            let report = ask(place)?;
            let mut found: Vec<u32> = report.workers.iter().map(|worker| worker.pid).collect();
            found.sort_unstable();
            if found == expected {
                return Ok(report);
            }
            if Instant::now() > until {
                return Err(io::Error::other(format!(
                    "the master knows the workers {found:?} after {PATIENCE:?}, not {expected:?}"
                )));
            }
            std::thread::sleep(ASK_EVERY);
        }
    }

    /// Tells all that live to leave.
    pub(super) fn end(&mut self) -> io::Result<()> {
        let processes = self.0.iter_mut().filter_map(|worker| worker.process.take());
        for process in processes {
            process.terminate()?;
        }
        Ok(())
    }
}

struct Client {
    process: RoleProcess,
    /// Where it writes down how jobs end.
    outcomes: PathBuf,
    is_busy: bool,
}

/// The four processes of clients.
pub(super) struct Clients {
    clients: Vec<Client>,
    /// Jobs of the present part that have ended.
    ended: u64,
}

impl Clients {
    pub(super) fn start(place: &Path) -> io::Result<Self> {
        let kinds = ["rust", "rust", "threads", "asyncio"];
        let clients = kinds.into_iter().enumerate().map(|(number, kind)| {
            let outcomes = place.join(format!("outcomes-{number}-{kind}"));
            let endpoint = frontend(place);
            let process = if kind == "rust" {
                let arguments = [OsStr::new(&endpoint), outcomes.as_os_str()];
                RoleProcess::start("client", arguments)
            } else {
                let mut command = python_program("client.py");
                command.args([kind, &endpoint]).arg(&outcomes);
                RoleProcess::start_program("client", &command)
            };
            Ok(Client {
                process: process?,
                outcomes,
                is_busy: false,
            })
        });
        let clients = clients.collect::<io::Result<_>>()?;
        Ok(Self { clients, ended: 0 })
    }

    /// Their processes.
    pub(super) fn pids(&self) -> Vec<u32> {
        let pids = self.clients.iter().map(|client| client.process.id());
        pids.collect()
    }

    /// Gives all of them their share of a part.
    pub(super) fn begin(&mut self, plan: Plan, part: Part) -> io::Result<()> {
        self.ended = 0;
        let clients = self.clients.len() as u64;
        for (number, client) in (0..).zip(&mut self.clients) {
            let share = plan.share(part, number, clients);
            let count = share.end - share.start;
            client.process.say(&format!("{} {count}", share.start))?;
            client.is_busy = true;
        }
        Ok(())
    }

    /// Returns when so many jobs of the part have ended; tells of those that do.
    pub(super) fn follow(&mut self, until: u64, tell: impl Fn(u64)) -> io::Result<()> {
        self.listen(|clients| clients.ended >= until, tell)
    }

    /// Returns when all jobs of the part have ended.
    pub(super) fn finish(&mut self, tell: impl Fn(u64)) -> io::Result<()> {
        let are_done = |clients: &Self| clients.clients.iter().all(|client| !client.is_busy);
        self.listen(are_done, tell)
    }

    fn listen(&mut self, is_enough: impl Fn(&Self) -> bool, tell: impl Fn(u64)) -> io::Result<()> {
        let mut heard = Instant::now();
        while !is_enough(self) {
            for client in self.clients.iter_mut().filter(|client| client.is_busy) {
                let Some(line) = client.process.line_within(LISTEN)? else {
                    continue;
                };
                heard = Instant::now();
                if line == "done" {
                    client.is_busy = false;
                } else {
                    let count: u64 = line.parse().map_err(io::Error::other)?;
                    self.ended += count;
                    tell(count);
                }
            }
            if heard.elapsed() > SILENCE {
                return Err(io::Error::other(format!(
                    "no job has ended for {SILENCE:?}, {} of this part have",
                    self.ended
                )));
            }
        }
        Ok(())
    }

    /// Tells all to end. Returns where they wrote down how jobs ended.
    pub(super) fn end(self) -> io::Result<Vec<PathBuf>> {
        let ended = self.clients.into_iter().map(|client| {
            client.process.end()?;
            Ok(client.outcomes)
        });
        ended.collect()
    }
}
