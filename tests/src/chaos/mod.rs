//! A run under faults: real processes, sockets and signals, and at its end the proof that nothing was lost or doubled.
//!
//! The [`director`] keeps worker processes of every [`worker::Kind`] and gives them one [`service`] after the other, of which it
//! kills all but the last. A service makes the load, kills, stops and drains workers, and has itself stopped for a while. Everybody writes down what he does
//! ([`journal`]) in one folder ([`ground`]); the [`evidence`] put together from that is compared with what was promised
//! ([`verdict`]).

pub mod director;
pub mod evidence;
pub mod ground;
pub mod journal;
pub mod payload;
mod pool;
mod progress;
pub mod service;
mod service_process;
pub mod verdict;
pub mod worker;
