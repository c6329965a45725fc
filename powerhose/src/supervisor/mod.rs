//! Process control: a group of processes of one program, kept at its count as long as this program
//! lives.
//!
//! `policy` decides and knows neither processes nor clocks. `thread` is its shell: one thread that
//! starts, signals and reaps, because Linux ties the parent-death signal to the thread that forked.
//! [`Workers`] is the handle that a program holds; wishes reach the thread through a small inbox
//! and a wake-up, and what it knows is published after each step.

mod backoff;
mod builder;
mod error;
mod exit;
mod exits;
mod policy;
mod snapshot;
mod thread;
mod workers;

pub use builder::{Output, WorkersBuilder};
pub use error::SpawnError;
pub use exit::{AfterExit, ExitCause, ProcessExit};
pub use exits::Exits;
pub use snapshot::{ProcessSnapshot, ProcessState, StopReport};
pub use workers::Workers;
