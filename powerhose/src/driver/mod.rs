//! Where the library meets the system: sockets, the clock, child processes.

pub(crate) mod child;
pub(crate) mod claim;
pub(crate) mod clock;
pub(crate) mod context;
pub(crate) mod curve;
pub(crate) mod delivery;
pub(crate) mod endpoint;
pub(crate) mod frames;
pub(crate) mod inbox;
mod libzmq;
pub(crate) mod master;
pub(crate) mod monitor;
pub(crate) mod pipes;
pub(crate) mod poll;
pub(crate) mod socket;
pub(crate) mod wake;
pub(crate) mod zap;
mod zmtp;
