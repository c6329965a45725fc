//! The job runner over real sockets, with workers that speak the wire by hand.

mod cancelling;
mod deadlines;
mod lost_workers;
mod malformed_peers;
mod own_sockets;
mod real_workers;
mod round_trips;
mod shutting_down;
mod starting;
mod support;
