//! The worker programs as an operator meets them: real processes, a real master, exit codes.

#[allow(dead_code, reason = "the crypto tests read the rest")]
#[path = "../crypto/vectors.rs"]
mod assertions;
mod vectors;

use std::{
    process::{Child, Command, ExitStatus, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use crypto_jobs::{BROWSERID_VERIFY, Rejection, SignatureAlgorithm, VerifyReply, VerifyRequest};
use powerhose::{
    ExecuteError, JobRunner,
    security::{AllowList, CurveServer, KeyPair},
};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

const CRYPTO: &str = env!("CARGO_BIN_EXE_crypto-worker");
const ECHO: &str = env!("CARGO_BIN_EXE_echo-worker");

/// Long enough for a loaded machine; nothing here takes a noticeable part of it.
const PATIENCE: Duration = Duration::from_secs(60);

struct Program(Child);

impl Program {
    fn start(path: &str, arguments: &[&str]) -> Self {
        Self::spawn(Command::new(path).args(arguments))
    }

    fn spawn(command: &mut Command) -> Self {
        Self(command.stdin(Stdio::null()).spawn().unwrap())
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).unwrap();
    }

    fn exit(&mut self) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status;
            }
            assert!(start.elapsed() < PATIENCE, "the program did not exit");
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have exited by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A master on a socket of its own.
fn master() -> (TempDir, JobRunner, String) {
    let directory = tempfile::tempdir().unwrap();
    let endpoint = format!("ipc://{}/master", directory.path().display());
    let runner = JobRunner::builder()
        .bind(&endpoint)
        .default_timeout(PATIENCE)
        .start()
        .unwrap();
    (directory, runner, endpoint)
}

fn run(path: &str, arguments: &[&str]) -> Output {
    Command::new(path)
        .args(arguments)
        .env_remove("POWERHOSE_CONNECT")
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

#[test]
fn the_echo_worker_answers_with_what_it_was_given() {
    let (_directory, runner, endpoint) = master();
    let _echo = Program::start(ECHO, &["--connect", &endpoint]);
    let reply = runner.job(&b"hello"[..]).execute_blocking().unwrap();
    assert_eq!(&reply[..], b"hello");
}

#[test]
fn the_crypto_worker_does_crypto_jobs_and_refuses_what_is_none() {
    let (_directory, runner, endpoint) = master();
    let _crypto = Program::start(CRYPTO, &["--connect", &endpoint, "--slots", "2"]);
    let request = VerifyRequest {
        assertion: "JUNK".into(),
        audience: "https://token.example.test".into(),
        now_ms: 0,
        algorithms: SignatureAlgorithm::DEFAULT.into(),
        issuer: crypto_jobs::IssuerFinding::Untrusted,
    };
    let body = crypto_jobs::encode(&request);
    let reply = runner
        .job(body)
        .service(BROWSERID_VERIFY)
        .execute_blocking()
        .unwrap();
    assert_eq!(
        crypto_jobs::decode::<VerifyReply>(&reply).unwrap(),
        Err(Rejection::Malformed)
    );

    let error = runner
        .job(&b"junk"[..])
        .service(BROWSERID_VERIFY)
        .execute_blocking()
        .unwrap_err();
    let ExecuteError::Failed { message } = error else {
        panic!("{error}")
    };
    assert!(
        message.starts_with(b"not a request of this service"),
        "{message:?}"
    );
}

#[test]
fn a_worker_joins_a_master_that_admits_its_key() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let (master, worker) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    for (name, keys) in [("master", &master), ("worker", &worker)] {
        let (secret, public) = (
            file(&format!("{name}.secret")),
            file(&format!("{name}.public")),
        );
        keys.save(secret.as_ref(), public.as_ref()).unwrap();
    }
    let curve = CurveServer::new(master).workers(AllowList::keys([worker.public()]));
    let runner = JobRunner::builder()
        .bind("tcp://127.0.0.1:*")
        .curve(curve)
        .default_timeout(PATIENCE)
        .start()
        .unwrap();
    let endpoint = runner.endpoints()[0].clone();
    let (secret, server) = (file("worker.secret"), file("master.public"));
    let keys = ["--curve-secret", &secret, "--curve-server", &server];
    let connect = ["--connect", &endpoint];
    let _echo = Program::start(ECHO, &[&connect[..], &keys[..]].concat());
    let answer = runner.job(&b"hello"[..]).execute_blocking().unwrap();
    assert_eq!(&answer[..], b"hello");

    let (missing, stranger) = (file("nobody.secret"), file("master.secret"));
    for (secret, code, text) in [
        (&missing, 66, "nobody.secret"),
        (&server, 77, "chmod 600"),
        (&stranger, 69, "does not admit this worker's key"),
    ] {
        let arguments = [
            "--curve-secret",
            secret,
            "--curve-server",
            &server,
            "--log",
            "off",
        ];
        let limit = ["--reconnect-limit", "300ms"];
        let output = run(ECHO, &[&connect[..], &arguments[..], &limit[..]].concat());
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{secret}: {said}");
        assert!(said.contains(text), "{secret}: {said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
    let output = run(ECHO, &[&connect[..], &keys[..2]].concat());
    assert_eq!(output.status.code(), Some(64), "one file without the other");
}

#[test]
fn a_worker_told_to_stop_exits_with_0_and_loses_no_job() {
    let (_directory, runner, endpoint) = master();
    let mut echo = Program::start(ECHO, &["--connect", &endpoint, "--delay", "300ms"]);
    let pending = {
        let runner = runner.clone();
        thread::spawn(move || runner.job(&b"late"[..]).execute_blocking())
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let start = Instant::now();
    while runtime
        .block_on(runner.workers())
        .iter()
        .all(|worker| worker.in_flight == 0)
    {
        assert!(
            start.elapsed() < PATIENCE,
            "the job did not reach the worker"
        );
        thread::sleep(Duration::from_millis(5));
    }
    echo.signal(Signal::TERM);
    assert_eq!(echo.exit().code(), Some(0));
    // For the case that the signal came before the handler: then the job was handed back.
    let _next = Program::start(ECHO, &["--connect", &endpoint]);
    assert_eq!(&pending.join().unwrap().unwrap()[..], b"late");
}

#[test]
fn mistakes_and_a_missing_master_have_their_exit_codes_and_one_line() {
    let directory = tempfile::tempdir().unwrap();
    let nobody = format!("ipc://{}/nobody", directory.path().display());
    for path in [CRYPTO, ECHO] {
        for (arguments, code, text) in [
            (
                &[
                    "--connect",
                    &nobody,
                    "--reconnect-limit",
                    "50ms",
                    "--log",
                    "off",
                ][..],
                69,
                "no master at ipc://",
            ),
            (&["--connect", "junk"], 78, "junk"),
            (&["--connect", &nobody, "--slots", "0"], 78, "slots"),
            (&["--connect", &nobody, "--log", "a=b=c"], 64, "--log"),
        ] {
            let output = run(path, arguments);
            let said = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
            assert!(said.contains(text), "{arguments:?}: {said}");
            assert_eq!(said.lines().count(), 1, "{said}");
        }
        for arguments in [&[][..], &["--connect"], &["--connect", "x", "--frobnicate"]] {
            assert_eq!(
                run(path, arguments).status.code(),
                Some(64),
                "{arguments:?}"
            );
        }
    }
    let output = run(CRYPTO, &["--connect", &nobody, "--service", "haircut"]);
    assert_eq!(output.status.code(), Some(64));
}

#[test]
fn help_and_version_exit_with_0() {
    for path in [CRYPTO, ECHO] {
        for argument in ["--help", "-h", "--version"] {
            let output = run(path, &[argument]);
            assert_eq!(output.status.code(), Some(0));
            assert!(!output.stdout.is_empty());
        }
    }
}
