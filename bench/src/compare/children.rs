//! The processes of a comparison: this program in another role, and the brokers of others.

use std::env;
use std::ffi::OsStr;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use powerhose::{Output, Workers};

use super::{Error, break_even, systems};

/// Names the system whose worker or broker this process shall be.
const ROLE: &str = "POWERHOSE_COMPARE_ROLE";

/// Tells it where.
const ENDPOINT: &str = "POWERHOSE_COMPARE_ENDPOINT";

/// How long a process may take to start.
const PATIENCE: Duration = Duration::from_secs(20);

/// Makes this process what it was started as, if it was started by a comparison. To be called first in `main`.
pub fn become_child() -> Option<ExitCode> {
    let (role, endpoint) = (env::var(ROLE).ok()?, env::var(ENDPOINT).ok()?);
    let become_it = match &*role {
        break_even::ROLE => break_even::work(&endpoint),
        role => systems::child(role, &endpoint),
    };
    Some(match become_it {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("compare: {role}: {error}");
            ExitCode::FAILURE
        }
    })
}

/// Starts this program in a role.
pub(super) fn start(role: &str, endpoint: &str) -> Result<Workers, Error> {
    let program = env::current_exe()?;
    let workers = Workers::builder(program)
        .env(ROLE, role)
        .env(ENDPOINT, endpoint)
        .grace(Duration::ZERO)
        .start()?;
    Ok(workers)
}

/// Starts somebody else's program.
pub(super) fn start_program(
    program: PathBuf,
    args: impl IntoIterator<Item: AsRef<OsStr>>,
) -> Result<Workers, Error> {
    let workers = Workers::builder(program)
        .args(args)
        .stdout(Output::Null)
        .stderr(Output::Null)
        .grace(Duration::ZERO)
        .start()?;
    Ok(workers)
}

/// Finds a program, also among those that only an administrator has in the `PATH`.
pub(super) fn find(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/usr/local/sbin".into()])
        .map(|directory| directory.join(name))
        .find(|file| file.is_file())
}

/// A port of the loopback interface that was free a moment ago.
pub(super) fn free_port() -> Result<u16, Error> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

/// Tries until it works.
///
/// # Errors
/// The last one, when it has not worked for long.
pub(super) fn retry<T>(mut attempt: impl FnMut() -> Result<T, Error>) -> Result<T, Error> {
    let start = Instant::now();
    loop {
        match attempt() {
            Ok(value) => return Ok(value),
            Err(error) if start.elapsed() > PATIENCE => return Err(error),
            Err(_) => thread::sleep(Duration::from_millis(10)),
        }
    }
}
