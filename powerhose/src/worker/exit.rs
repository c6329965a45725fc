//! How a worker ended.

use std::process::ExitCode;

use crate::wire::RejectReason;

/// Why a worker stopped working.
///
/// | exit | code | sysexits.h | what a process controller should do |
/// |---|---|---|---|
/// | [`Drained`](Self::Drained) | 0 | `EX_OK` | what it had in mind when it told the worker to stop |
/// | [`MaxJobs`](Self::MaxJobs) | 0 | `EX_OK` | start the next one |
/// | [`MaxAge`](Self::MaxAge) | 0 | `EX_OK` | start the next one |
/// | [`MasterLost`](Self::MasterLost) | 69 | `EX_UNAVAILABLE` | start the next one, with a backoff |
/// | [`Stopped`](Self::Stopped) | 75 | `EX_TEMPFAIL` | what it had in mind when it told the worker twice to stop |
/// | [`Rejected`](Self::Rejected) for its registration | 78 | `EX_CONFIG` | tell a person: the next one fares the same |
/// | [`Rejected`](Self::Rejected) for anything else | 76 | `EX_PROTOCOL` | tell a person: the next one fares the same |
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Exit {
    /// The worker was told to drain. Every job that it had started is answered, the others were handed back.
    Drained,
    /// The worker has done as many jobs as it is set to.
    MaxJobs,
    /// The worker has reached the age it is set to.
    MaxAge,
    /// No master could be reached within the reconnect limit. Handlers that still run have been cancelled.
    MasterLost,
    /// The worker was told to stop at once. Handlers that still run have been cancelled and nobody hears of them.
    Stopped,
    /// The master refuses this worker, and would refuse it again.
    Rejected {
        /// Why.
        reason: RejectReason,
        /// What the master says about it.
        message: String,
    },
}

impl Exit {
    /// The code to exit with; see the table above.
    pub fn code(&self) -> u8 {
        match self {
            Self::Drained | Self::MaxJobs | Self::MaxAge => 0,
            Self::MasterLost => 69,
            Self::Stopped => 75,
            Self::Rejected {
                reason: RejectReason::InvalidRegistration,
                ..
            } => 78,
            Self::Rejected { .. } => 76,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
