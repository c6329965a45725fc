//! What is compared, one file each: how its processes are started, how a job is handed over, what its worker does.

mod gearman;
mod grpc;
mod in_process;
mod nats;
mod powerhose_embedded;
mod powerhose_standalone;
mod redis_lists;
mod unix_blocking;
mod unix_tokio;
mod zmq_broker;
mod zmq_req_rep;
mod zmq_router;

use super::{Error, Ground, Running};

/// A system that can be compared.
#[derive(Debug)]
pub struct System {
    /// Its name in reports and on the command line.
    pub name: &'static str,
    /// What it is, in a few words.
    pub what: &'static str,
    /// The program that it needs besides this one.
    pub needs: Option<Program>,
    pub(super) start: fn(&Ground<'_>) -> Result<Box<dyn Running>, Error>,
    /// What this program does when it is started as one of the system's processes.
    child: Option<Child>,
}

/// A process of this program, told where the system is.
type Child = fn(&str) -> Result<(), Error>;

/// A program of somebody else's.
#[derive(Debug, Clone, Copy)]
pub struct Program {
    /// Its name in the `PATH`.
    pub name: &'static str,
    /// Debian's package that has it.
    pub package: &'static str,
}

impl Program {
    /// Whether it is installed.
    pub fn is_there(&self) -> bool {
        super::children::find(self.name).is_some()
    }

    fn path(self) -> Result<std::path::PathBuf, Error> {
        super::children::find(self.name).ok_or_else(|| {
            let Self { name, package } = self;
            format!("there is no {name}: install the package {package}").into()
        })
    }
}

/// Every system, in the order of reports.
pub const ALL: &[&System] = &[
    &unix_blocking::SYSTEM,
    &unix_tokio::SYSTEM,
    &in_process::SYSTEM,
    &zmq_req_rep::SYSTEM,
    &zmq_router::SYSTEM,
    &powerhose_embedded::SYSTEM,
    &zmq_broker::SYSTEM,
    &powerhose_standalone::SYSTEM,
    &grpc::SYSTEM,
    &nats::SYSTEM,
    &redis_lists::SYSTEM,
    &gearman::SYSTEM,
];

/// Runs one of a system's processes. The role is the system's name, and a part of it after a colon if it has several.
pub(super) fn child(role: &str, endpoint: &str) -> Result<(), Error> {
    let name = role.split(':').next().unwrap_or(role);
    let child = ALL
        .iter()
        .find(|system| system.name == name)
        .and_then(|system| system.child)
        .ok_or_else(|| format!("there is no role {role}"))?;
    match role.split_once(':') {
        Some((_, part)) => child(&format!("{part} {endpoint}")),
        None => child(endpoint),
    }
}
