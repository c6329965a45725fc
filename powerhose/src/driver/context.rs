//! The libzmq context and the descriptors that it will need.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors beyond those of the peers: libzmq's own, the listeners, log files, the database of the program around.
pub(crate) const DESCRIPTOR_MARGIN: u64 = 128;

/// The process may open too few descriptors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "{needed} open files are needed for {peers} connections, the hard limit is {limit}: raise it (ulimit -Hn, LimitNOFILE=) or allow fewer workers"
)]
pub struct TooFewDescriptors {
    /// The descriptors needed.
    pub needed: u64,
    /// The connections allowed for.
    pub peers: u64,
    /// The hard limit of the process.
    pub limit: u64,
}

/// Makes a context for up to `peers` connections.
///
/// libzmq aborts the process when it cannot accept a connection for want of a descriptor, so the limit is raised as far as it goes and
/// checked here. libzmq's own limit of 1,023 sockets stays: connections are not sockets, and the drivers open far fewer.
///
/// # Errors
/// [`TooFewDescriptors`] if the hard limit leaves too few for that many connections.
pub(crate) fn context(peers: u64) -> Result<zmq::Context, TooFewDescriptors> {
    reserve(peers)?;
    Ok(zmq::Context::new())
}

fn reserve(peers: u64) -> Result<(), TooFewDescriptors> {
    let needed = peers.saturating_add(DESCRIPTOR_MARGIN);
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    // macOS allows no more than kern.maxfilesperproc, whatever the hard limit says; then just what is needed may do.
    let _ = raise_to(maximum).or_else(|_| match current {
        Some(soft) if soft < needed => raise_to(Some(needed)),
        _ => Ok(()),
    });
    match getrlimit(Resource::Nofile).current {
        Some(limit) if limit < needed => Err(TooFewDescriptors {
            needed,
            peers,
            limit,
        }),
        _ => Ok(()),
    }
}

fn raise_to(soft: Option<u64>) -> rustix::io::Result<()> {
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: soft,
            maximum,
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_is_raised() {
        context(1000).expect("a thousand peers are no problem");
        let soft = getrlimit(Resource::Nofile).current;
        assert!(soft.is_none_or(|soft| soft >= 1000 + DESCRIPTOR_MARGIN));
    }

    #[test]
    fn more_peers_than_the_hard_limit_are_refused() {
        if let Some(limit) = getrlimit(Resource::Nofile).maximum {
            let error = reserve(limit).expect_err("the margin is missing");
            assert_eq!(error.limit, limit);
            assert_eq!(error.needed, limit + DESCRIPTOR_MARGIN);
        }
    }
}
