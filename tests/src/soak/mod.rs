//! A long run with everything that comes and goes: does memory stay, and do descriptors?
//!
//! The [`director`] keeps a standalone master, a process of workers that stay and one of [`clients`]; another process of workers comes
//! and goes, by turns killed and told to leave. The processes that stay are measured every second, and [`verdict`] compares the end of
//! the run with its beginning.

pub mod clients;
pub mod director;
mod resuming;
pub mod verdict;
