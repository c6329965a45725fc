use std::path::Path;
use std::process::Command;

use bytes::Bytes;
use crypto_jobs::{BROWSERID_VERIFY, IssueReply, VerifyReply, decode};
use powerhose::{ExecuteError, JobRunner};
use tests::process::{PATIENCE, Process};

use crate::cases::Case;

/// A master with crypto workers.
pub(crate) struct Pool {
    pub(crate) runner: JobRunner,
    _workers: Vec<Process>,
    _folder: tempfile::TempDir,
}

impl Pool {
    /// Starts workers by their programs.
    pub(crate) async fn start(programs: &[&Path]) -> Self {
        let folder = tempfile::tempdir().expect("a directory");
        let endpoint = format!("ipc://{}", folder.path().join("jobs").display());
        let runner = JobRunner::bind(&endpoint).expect("a free path");
        let start = |program: &&Path| {
            let mut command = Command::new(program);
            if program.ends_with("crypto-worker") {
                command.arg("--connect");
            }
            Process::start(command.arg(&endpoint))
        };
        let workers: Vec<_> = programs.iter().map(start).collect();
        let ready = runner.wait_for_workers(programs.len(), PATIENCE).await;
        ready.expect("the workers come");
        Self {
            runner,
            _workers: workers,
            _folder: folder,
        }
    }
}

pub(crate) async fn ask(runner: &JobRunner, case: &Case) -> Result<Bytes, ExecuteError> {
    let job = runner.job(case.body.clone()).service(case.service);
    job.timeout(PATIENCE).execute().await
}

/// What a reply says. Maps have no order, and numbers may be written in several ways.
pub(crate) async fn reply(runner: &JobRunner, case: &Case) -> String {
    match ask(runner, case).await {
        Ok(body) if case.service == BROWSERID_VERIFY => {
            let reply: VerifyReply = decode(&body).expect("a reply");
            format!("{reply:?}")
        }
        Ok(body) => {
            let reply: IssueReply = decode(&body).expect("a reply");
            // Debug redacts them.
            let token = reply.as_ref().ok().map(|token| (&token.token, &token.key));
            format!("{reply:?} {token:?}")
        }
        Err(ExecuteError::Failed { message }) => {
            let message = String::from_utf8_lossy(&message).into_owned();
            let known = message.starts_with("not a request of this service");
            assert!(known, "{}: {message}", case.name);
            "no request".to_owned()
        }
        Err(error) => panic!("{}: {error}", case.name),
    }
}
