//! The codec against protocol.md: golden bytes, round trips, arbitrary input, limits.

mod golden;
mod limits;
mod memory;
mod outcomes;
mod refusals;
mod round_trip;
mod support;
mod total;
mod vectors;
