//! Workers: take jobs from a master, run a handler on each, answer.
//!
//! [`session`] decides and knows neither sockets nor clocks; `shared` is the session behind a lock. Around it are the threads of a
//! [`Worker`]. With several slots, `pump` moves the messages on the caller's thread, and each `slot` runs the handler on a thread of
//! its own. With one slot, `single` does both on one thread, and the caller's stands in when a handler takes long.

mod builder;
mod control;
mod error;
mod exit;
mod job;
mod overrun;
mod own_socket;
mod pump;
mod run;
pub mod session;
mod shared;
mod signals;
mod single;
mod slot;
mod stopper;

pub use builder::WorkerBuilder;
pub use error::WorkerError;
pub use exit::Exit;
pub use job::{Job, JobError};
pub use overrun::Overrun;
pub use run::Worker;
pub use stopper::Stopper;
