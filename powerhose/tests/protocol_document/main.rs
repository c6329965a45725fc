//! `protocol.md` and the code say the same: its tables against the constants, in both directions, and its worked exchange
//! against the codec.

mod codes;
mod commands;
mod document;
mod exchanges;
mod limits;
mod states;
