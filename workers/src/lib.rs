//! The work of the standalone Powerhose workers, as functions of bytes.
//!
//! [`crypto`] verifies BrowserID assertions and issues tokens. Nothing in it knows of sockets,
//! clocks or random numbers: `crypto-worker`, the token server's own worker processes and the tests
//! all call [`crypto::handle`].
//!
//! [`process`] is what surrounds a handler in a program of its own.

pub mod crypto;
pub mod process;
