//! Bytes to commands and back: no sockets, no clock, no panic on any input.
//!
//! `protocol.md` at the root of the repository is the normative text; each type here names its section. Decoding is
//! total: every sequence of frames gives either a command or a [`WireError`] that says what to answer its sender.
//! Bodies are opaque. They are sliced out of the received frame or passed on as the frame they came in, never copied.

mod client;
mod codes;
mod control;
mod envelope;
mod error;
mod header;
pub mod limits;
mod message;
mod reply;
mod submit;

pub use client::{FromClient, ToClient};
pub use codes::{CancelReason, DisconnectReason, OutcomeCode, RejectReason, ResultCode};
pub(crate) use control::is_service_name;
pub use control::{Open, Opened, Register, Registered, Rejection, RunningJob};
pub use envelope::Encoded;
pub use error::WireError;
pub use header::{Command, Flags, HEADER_LEN, Header, VERSION};
pub use message::{FromWorker, JobKey, ToWorker};
pub use reply::Reply;
pub use submit::{ServiceName, Submit};
