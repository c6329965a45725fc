//! A crowd of workers at one standalone master: a quarter of them dies at once, and nobody else notices.
//!
//! The program that a person starts is the [`director`] and the client; the standalone master is one process, the workers are a few
//! more ([`many_workers`](crate::many_workers)), one of which is killed midway.

pub mod director;
mod load;
mod verdict;

pub use verdict::Summary;
