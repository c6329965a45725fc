//! What the benches have in common: a service with its workers in processes of their own.
#![forbid(unsafe_code)]

#[cfg(feature = "peers")]
pub mod compare;
pub mod desk;
pub mod goal;
pub mod spread;
pub mod usage;

use std::collections::HashSet;
use std::process::{self, ExitCode};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};
use std::{env, fmt};

use powerhose::{Bytes, Client, Execute, JobRunner, StandaloneMaster, Worker, Workers};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// Names the endpoint to a process that shall be a worker.
const WORKER: &str = "POWERHOSE_BENCH_WORKER";

/// The job whose answer is the worker's process id instead of an echo.
const WHO: &str = "which worker is this?";

/// How long a worker takes to say who it is. Long enough that it is not sent several questions ahead.
const WHO_TAKES: Duration = Duration::from_millis(5);

/// Makes this process an echo worker if it was started as one. To be called first in `main`.
pub fn worker() -> Option<ExitCode> {
    let endpoint = env::var(WORKER).ok()?;
    let worker = Worker::builder().connect(endpoint).handler(|job| {
        if job.body() == WHO.as_bytes() {
            thread::sleep(WHO_TAKES);
            return Ok(process::id().to_string().into());
        }
        Ok(job.body().clone())
    });
    Some(match worker.run() {
        Ok(exit) => ExitCode::from(exit.code()),
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    })
}

/// Where the master lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Master {
    /// Inside of the program that has jobs: `JobRunner`.
    Embedded,
    /// Behind a socket: `Client`, and what `powerhose master` runs. In a thread of the same process, which costs a job what a
    /// process of its own would.
    Standalone,
}

impl fmt::Display for Master {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Embedded => "embedded",
            Self::Standalone => "standalone",
        })
    }
}

/// How processes reach each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// Unix sockets.
    Ipc,
    /// The loopback interface.
    Tcp,
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ipc => "ipc",
            Self::Tcp => "tcp",
        })
    }
}

/// A master with echo workers, each in a process of this program's.
pub struct Service {
    jobs: Arc<dyn Execute>,
    executor: Runtime,
    _workers: Workers,
    _master: Option<StandaloneMaster>,
    _directory: TempDir,
}

impl Service {
    /// Starts a master on a socket of its own and as many workers.
    ///
    /// # Panics
    /// When one of them does not start.
    pub fn start(master: Master, transport: Transport, workers: usize) -> Self {
        let directory = tempfile::tempdir().expect("a directory can be made");
        let endpoint = |name| match transport {
            Transport::Ipc => format!("ipc://{}/{name}", directory.path().display()),
            Transport::Tcp => "tcp://127.0.0.1:*".to_owned(),
        };
        let executor = Runtime::new().expect("the system has threads");
        let (jobs, master, backend): (Arc<dyn Execute>, _, _) = match master {
            Master::Embedded => {
                let runner = JobRunner::bind(endpoint("jobs")).expect("the endpoint is free");
                let backend = runner.endpoints()[0].clone();
                (Arc::new(runner), None, backend)
            }
            Master::Standalone => {
                let master = StandaloneMaster::builder()
                    .frontend(endpoint("frontend"))
                    .backend(endpoint("backend"))
                    .start()
                    .expect("the endpoints are free");
                let client = Client::connect(&master.frontends()[0]).expect("it was bound");
                let backend = master.backends()[0].clone();
                (Arc::new(client), Some(master), backend)
            }
        };
        let program = env::current_exe().expect("this program has a path");
        let started = Workers::builder(program)
            .env(WORKER, backend)
            .count(workers)
            .start();
        let service = Self {
            jobs,
            executor,
            _workers: started.expect("this program can be started"),
            _master: master,
            _directory: directory,
        };
        service.await_workers(workers);
        service
    }

    /// Returns once so many different workers have answered.
    fn await_workers(&self, workers: usize) {
        let patience = Instant::now() + Duration::from_secs(20);
        let mut seen = HashSet::new();
        while seen.len() < workers {
            assert!(Instant::now() < patience, "the workers do not register");
            let answers = self.executor.block_on(async {
                let asked: Vec<_> = (0..workers)
                    .map(|_| {
                        let jobs = Arc::clone(&self.jobs);
                        tokio::spawn(async move { jobs.job(WHO.into()).execute().await })
                    })
                    .collect();
                let mut answers = Vec::new();
                for answer in asked {
                    answers.push(answer.await.expect("no panic").expect("an answer"));
                }
                answers
            });
            seen.extend(answers);
        }
    }

    /// Runs so many jobs, with at most `in_flight` at the same time.
    ///
    /// # Panics
    /// When a job fails.
    pub fn run(&self, jobs: u64, in_flight: u64, body: &Bytes) {
        self.executor.block_on(async {
            let callers: Vec<_> = (0..in_flight)
                .map(|caller| {
                    let (service, body) = (Arc::clone(&self.jobs), body.clone());
                    let share = jobs / in_flight + u64::from(caller < jobs % in_flight);
                    tokio::spawn(async move {
                        for _ in 0..share {
                            let answer = service.job(body.clone()).execute().await;
                            assert_eq!(answer.expect("an echo").len(), body.len());
                        }
                    })
                })
                .collect();
            for caller in callers {
                caller.await.expect("no job fails");
            }
        });
    }
}
