//! What a process uses of its system, as procfs tells.

use std::fs;
use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde::Serialize;

/// Memory and descriptors of a process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Usage {
    /// Resident memory in KiB.
    pub rss_kib: u64,
    /// Open descriptors.
    pub descriptors: u64,
}

impl Usage {
    /// Of a process, by its id.
    ///
    /// # Errors
    /// When there is no such process, or no procfs.
    pub fn of(pid: u32) -> io::Result<Self> {
        let folder = format!("/proc/{pid}");
        let status = fs::read_to_string(format!("{folder}/status"))?;
        let rss_kib = (status.lines())
            .find_map(|line| line.strip_prefix("VmRSS:")?.trim().split(' ').next())
            .and_then(|number| number.parse().ok());
        let descriptors = fs::read_dir(format!("{folder}/fd"))?.count() as u64;
        Ok(Self {
            rss_kib: rss_kib.ok_or(io::ErrorKind::InvalidData)?,
            descriptors,
        })
    }
}

/// Lets this process open so many descriptors.
///
/// # Errors
/// When the hard limit is lower; says how to raise it.
pub fn allow_descriptors(needed: u64) -> io::Result<()> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    let raised = setrlimit(
        Resource::Nofile,
        Rlimit {
            current: Some(needed),
            maximum,
        },
    );
    raised.map_err(|_| {
        let limit = maximum.unwrap_or(u64::MAX);
        io::Error::other(format!(
            "{needed} open files are needed, the hard limit is {limit}: raise it (ulimit -Hn)"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_uses_something() {
        let before = Usage::of(std::process::id()).expect("procfs");
        assert!(before.rss_kib > 0 && before.descriptors > 2, "{before:?}");
        assert!(Usage::of(u32::MAX).is_err());
    }
}
