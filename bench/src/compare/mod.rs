//! The same work done by this project and by what people would use instead.
//!
//! The work is an echo of 64 bytes: one client process (this one), a broker where the system has one, and one worker process
//! with a single-threaded handler. All systems take turns, round by round, so that what else the machine does hits them alike.
//! A figure is worth something only beside the others of its run.

pub mod break_even;
pub mod campaign;
mod children;
pub mod goals;
mod load;
pub mod report;
mod sample;
mod systems;

use std::path::Path;
use std::time::Duration;

pub use children::become_child;
pub use sample::Sample;
pub use systems::{ALL, System};

/// What every job carries.
pub const PAYLOAD: [u8; 64] = [7; 64];

/// What went wrong while a system was started or run.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// Where a system keeps its sockets and files, and how its client's executor is made.
#[derive(Debug, Clone, Copy)]
pub struct Ground<'a> {
    /// A directory of its own, short enough for the paths of sockets.
    pub directory: &'a Path,
    /// Threads of the client's executor; one: the callers share the thread that waits for them.
    pub client_threads: usize,
}

/// A system with all its processes, ready for work. When it is dropped, the worker goes first: it would complain of a peer that
/// is gone.
pub trait Running {
    /// Keeps this many jobs under way for about as long as `time`.
    ///
    /// # Errors
    /// A job that failed.
    fn run(&mut self, in_flight: usize, time: Duration) -> Result<Sample, Error>;

    /// The processes that share the work, without this one.
    fn processes(&self) -> Vec<u32>;
}
