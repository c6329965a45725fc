//! A standalone master with real sockets: workers and clients in threads.

mod bad_peers;
mod clients;
mod jobs;
mod support;
