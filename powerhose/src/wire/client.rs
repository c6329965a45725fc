//! Messages of clients and to clients, over the frontend.

use bytes::Bytes;

use super::codes::{DisconnectReason, RejectReason};
use super::control::{self, Open, Opened, Rejection};
use super::envelope::{
    Encoded, Envelope, PayloadLimits, encode, issued, no_prefix, split, unknown,
};
use super::error::WireError;
use super::header::{Command, Header};
use super::reply::Reply;
use super::submit::Submit;

/// A message from a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FromClient {
    /// Asks for a session, or to resume the one named (0: none).
    Open {
        /// The session to resume, or 0.
        session: u64,
        /// Who asks, and what it has received in that session.
        open: Open,
    },
    /// Still here.
    Heartbeat {
        /// The client's session.
        session: u64,
        /// How many REPLYs it has received in this session.
        received: u64,
    },
    /// Have this done.
    Submit {
        /// The client's session.
        session: u64,
        /// The job.
        submit: Submit,
    },
    /// The outcome of a job is no longer wanted.
    Withdraw {
        /// The client's session.
        session: u64,
        /// The client's number for the job.
        sequence: u64,
    },
    /// The session is over.
    Disconnect {
        /// The client's session.
        session: u64,
        /// Why.
        reason: DisconnectReason,
    },
    /// How are you? Needs no session.
    Status,
}

/// A message to a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToClient {
    /// The session and its terms.
    Opened {
        /// The session issued or resumed.
        session: u64,
        /// The terms.
        terms: Opened,
    },
    /// Refused.
    Rejected {
        /// The session that the refused message named.
        session: u64,
        /// Why.
        reason: RejectReason,
        /// Details for a person.
        rejection: Rejection,
    },
    /// Still here.
    Heartbeat {
        /// The client's session.
        session: u64,
    },
    /// How a job ended.
    Reply {
        /// The client's session.
        session: u64,
        /// The outcome.
        reply: Reply,
    },
    /// Submit no more: the master is leaving.
    Drain {
        /// The client's session.
        session: u64,
    },
    /// The session is over.
    Disconnect {
        /// The client's session.
        session: u64,
        /// Why.
        reason: DisconnectReason,
    },
    /// This is how the master is.
    Report {
        /// A JSON document; protocol.md, section "REPORT".
        body: Bytes,
    },
}

impl FromClient {
    /// The session that the message names; 0 for none.
    pub fn session(&self) -> u64 {
        match *self {
            Self::Open { session, .. }
            | Self::Heartbeat { session, .. }
            | Self::Submit { session, .. }
            | Self::Withdraw { session, .. }
            | Self::Disconnect { session, .. } => session,
            Self::Status => 0,
        }
    }

    /// Reads a message from the frames after the routing id, which are left empty. Bodies share the frames' memory.
    ///
    /// The size of a payload is not judged here: a job that is too large gets a REPLY, so that its caller learns of it.
    ///
    /// # Errors
    /// A [`WireError`] for anything that protocol.md does not allow.
    pub fn decode(frames: &mut [Bytes]) -> Result<Self, WireError> {
        let Envelope {
            header,
            prefix,
            body,
            metadata,
        } = split(frames, PayloadLimits::NONE)?;
        let session = header.session;
        Ok(match header.command {
            Command::Open => Self::Open {
                session,
                open: control::decode_open(&body)?,
            },
            Command::Heartbeat => Self::Heartbeat {
                session,
                received: header.job,
            },
            Command::Submit => Self::Submit {
                session,
                submit: Submit::decode(&header, prefix, body, metadata)?,
            },
            Command::Withdraw => Self::Withdraw {
                session,
                sequence: header.job,
            },
            Command::Disconnect => Self::Disconnect {
                session,
                reason: DisconnectReason::from_wire(header.code)?,
            },
            Command::Status => Self::Status,
            other => return Err(unknown(other)),
        })
    }

    /// Writes the message: the first frame to `first`, the others returned.
    pub fn encode(self, first: &mut Vec<u8>) -> Encoded {
        let header = |command| Header::new(command, self.session());
        let (header, body) = match self {
            Self::Submit { session, submit } => {
                let header = submit.header(session);
                let (body, metadata) = (submit.body.clone(), submit.metadata.clone());
                let prefix = |first: &mut Vec<u8>| submit.write_prefix(first);
                return encode(header, prefix, body, metadata, first);
            }
            Self::Open { ref open, .. } => (header(Command::Open), control::encode(open)),
            Self::Heartbeat { received, .. } => {
                let header = Header {
                    job: received,
                    ..header(Command::Heartbeat)
                };
                (header, Bytes::new())
            }
            Self::Withdraw { sequence, .. } => {
                let header = Header {
                    job: sequence,
                    ..header(Command::Withdraw)
                };
                (header, Bytes::new())
            }
            Self::Disconnect { reason, .. } => {
                let header = Header {
                    code: reason.to_wire(),
                    ..header(Command::Disconnect)
                };
                (header, Bytes::new())
            }
            Self::Status => (header(Command::Status), Bytes::new()),
        };
        encode(header, no_prefix, body, None, first)
    }
}

impl ToClient {
    /// The session that the message names; 0 for none.
    pub fn session(&self) -> u64 {
        match *self {
            Self::Opened { session, .. }
            | Self::Rejected { session, .. }
            | Self::Heartbeat { session }
            | Self::Reply { session, .. }
            | Self::Drain { session }
            | Self::Disconnect { session, .. } => session,
            Self::Report { .. } => 0,
        }
    }

    /// Reads a message from the frames that a client receives, which are left empty. Bodies share the frames' memory.
    ///
    /// # Errors
    /// A [`WireError`] for anything that protocol.md does not allow.
    pub fn decode(frames: &mut [Bytes]) -> Result<Self, WireError> {
        let Envelope { header, body, .. } = split(frames, PayloadLimits::NONE)?;
        let session = header.session;
        Ok(match header.command {
            Command::Opened => Self::Opened {
                session: issued(session)?,
                terms: control::decode_opened(&body)?,
            },
            Command::Rejected => Self::Rejected {
                session,
                reason: RejectReason::from_wire(header.code)?,
                rejection: control::decode_rejection(&body)?,
            },
            Command::Heartbeat => Self::Heartbeat { session },
            Command::Reply => Self::Reply {
                session,
                reply: Reply::decode(&header, body)?,
            },
            Command::Drain => Self::Drain { session },
            Command::Disconnect => Self::Disconnect {
                session,
                reason: DisconnectReason::from_wire(header.code)?,
            },
            Command::Report => Self::Report { body },
            other => return Err(unknown(other)),
        })
    }

    /// Writes the message: the first frame to `first`, the others returned.
    pub fn encode(self, first: &mut Vec<u8>) -> Encoded {
        let session = self.session();
        let plain = |command| (Header::new(command, session), Bytes::new());
        let (header, body) = match self {
            Self::Opened { terms, .. } => (
                Header::new(Command::Opened, session),
                control::encode(&terms),
            ),
            Self::Rejected {
                reason, rejection, ..
            } => {
                let header = Header {
                    code: reason.to_wire(),
                    ..Header::new(Command::Rejected, session)
                };
                (header, control::encode(&rejection))
            }
            Self::Heartbeat { .. } => plain(Command::Heartbeat),
            Self::Reply { reply, .. } => (reply.header(session), reply.body),
            Self::Drain { .. } => plain(Command::Drain),
            Self::Disconnect { reason, .. } => {
                let header = Header {
                    code: reason.to_wire(),
                    ..Header::new(Command::Disconnect, session)
                };
                (header, Bytes::new())
            }
            Self::Report { body } => (Header::new(Command::Report, 0), body),
        };
        encode(header, no_prefix, body, None, first)
    }
}
