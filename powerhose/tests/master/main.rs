//! The core of the master, event by event.

#![forbid(unsafe_code)]

mod admission;
mod cancellation;
mod deadlines;
mod determinism;
mod dispatch;
mod draining;
mod liveness;
mod lost_workers;
mod own_sockets;
mod prefetch;
mod probes;
mod rates;
mod registration;
mod results;
mod services;
mod statistics;
mod support;
mod turns;
