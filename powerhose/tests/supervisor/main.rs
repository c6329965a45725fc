//! Groups of real processes.

#![forbid(unsafe_code)]
#![allow(
    clippy::disallowed_methods,
    reason = "these tests watch real processes in real time"
)]

mod parent;
mod restart;
mod start;
mod stop;
mod support;
