//! One standalone master, workers and clients in three languages, and what dies of them under load.
//!
//! The [`director`] starts `powerhose master`, two workers each in Rust, Python and C++, and four client processes: two in Rust, two in
//! Python, one of these with threads and one with asyncio. A run has three parts: nothing happens; a worker of each language is killed;
//! the master is killed and started again. Workers write down what they start and clients how jobs end, and the verdict holds both
//! against what is promised.

pub mod client;
pub mod director;
mod evidence;
mod payload;
mod plan;
mod pool;
mod verdict;
pub mod worker;

pub use verdict::Summary;
