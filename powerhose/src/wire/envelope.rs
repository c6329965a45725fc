//! What all messages have in common: a header, and the frames that it announces.

use bytes::Bytes;

use super::error::WireError;
use super::header::{Command, Flags, HEADER_LEN, Header};
use super::limits::{INLINE_BODY, MAX_CONTROL_BODY, MAX_REPORT};
use super::submit;

/// What follows the first frame of an encoded message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Encoded {
    /// The body, if it gets a frame of its own.
    pub body: Option<Bytes>,
    /// The metadata, if there is any.
    pub metadata: Option<Bytes>,
}

/// A message taken apart.
pub(super) struct Envelope {
    pub(super) header: Header,
    /// What stands between the header and the body: only SUBMIT has something there.
    pub(super) prefix: Bytes,
    pub(super) body: Bytes,
    pub(super) metadata: Option<Bytes>,
}

/// The limits, in bytes, of what commands that carry payloads may carry.
#[derive(Clone, Copy)]
pub(super) struct PayloadLimits {
    pub(super) body: usize,
    pub(super) metadata: usize,
}

impl PayloadLimits {
    /// For receivers that judge sizes themselves.
    pub(super) const NONE: Self = Self {
        body: usize::MAX,
        metadata: usize::MAX,
    };
}

/// Writes the header, the prefix and a small body to `first`, which is cleared before, and returns the frames that follow it.
pub(super) fn encode(
    mut header: Header,
    prefix: impl FnOnce(&mut Vec<u8>),
    body: Bytes,
    metadata: Option<Bytes>,
    first: &mut Vec<u8>,
) -> Encoded {
    first.clear();
    header.flags = Flags {
        inline_body: !body.is_empty() && body.len() <= INLINE_BODY,
        body_frame: body.len() > INLINE_BODY,
        metadata: metadata.is_some(),
    };
    first.extend_from_slice(&header.to_bytes());
    prefix(first);
    if header.flags.inline_body {
        first.extend_from_slice(&body);
    }
    Encoded {
        body: header.flags.body_frame.then_some(body),
        metadata,
    }
}

/// The prefix of commands that have none.
pub(super) fn no_prefix(_first: &mut Vec<u8>) {}

/// Takes a message apart. `frames` are those after the routing id; they are left empty.
pub(super) fn split(frames: &mut [Bytes], limits: PayloadLimits) -> Result<Envelope, WireError> {
    let got = frames.len();
    let Some((first, rest)) = frames.split_first_mut() else {
        return Err(WireError::ShortHeader { len: 0 });
    };
    let header = Header::parse(first)?;
    let flags = header.flags;
    let carried = body_of(header.command, limits.body);
    let superfluous_body = carried.is_none() && (flags.inline_body || flags.body_frame);
    if superfluous_body || (flags.metadata && !takes_metadata(header.command)) {
        return Err(WireError::Flags {
            flags: flags.to_wire(),
        });
    }
    if got != flags.frames() {
        return Err(WireError::Frames {
            got,
            announced: flags.frames(),
        });
    }
    let prefix_len = match header.command {
        Command::Submit => submit::prefix_len(&header)?,
        _ => 0,
    };
    let mut first = std::mem::take(first).split_off(HEADER_LEN);
    if first.len() < prefix_len {
        return Err(WireError::Field {
            field: "service",
            why: format!("{prefix_len} bytes were announced, {} came", first.len()),
        });
    }
    let prefix = first.split_to(prefix_len);
    let mut rest = rest.iter_mut().map(std::mem::take);
    let body = match flags {
        Flags {
            inline_body: true, ..
        } => first,
        _ if !first.is_empty() => {
            return Err(WireError::Field {
                field: "header",
                why: format!("{} bytes follow it without the flag", first.len()),
            });
        }
        Flags {
            body_frame: true, ..
        } => rest.next().unwrap_or_default(),
        _ => Bytes::new(),
    };
    let metadata = if flags.metadata { rest.next() } else { None };
    if let Some((part, limit)) = carried {
        check_len(part, body.len(), limit)?;
    }
    if let Some(metadata) = &metadata {
        check_len("metadata", metadata.len(), limits.metadata)?;
    }
    Ok(Envelope {
        header,
        prefix,
        body,
        metadata,
    })
}

fn check_len(part: &'static str, len: usize, limit: usize) -> Result<(), WireError> {
    if len > limit {
        return Err(WireError::TooLarge { part, len, limit });
    }
    Ok(())
}

/// The body that a command carries, if any, as errors name it, and its limit in bytes.
fn body_of(command: Command, max_body: usize) -> Option<(&'static str, usize)> {
    match command {
        Command::Job | Command::Result | Command::Submit | Command::Reply => {
            Some(("body", max_body))
        }
        Command::Register
        | Command::Registered
        | Command::Rejected
        | Command::Open
        | Command::Opened => Some(("control body", MAX_CONTROL_BODY)),
        Command::Report => Some(("report", MAX_REPORT)),
        Command::Heartbeat
        | Command::Cancel
        | Command::Drain
        | Command::Disconnect
        | Command::Withdraw
        | Command::Status => None,
    }
}

fn takes_metadata(command: Command) -> bool {
    matches!(command, Command::Job | Command::Submit)
}

/// A session that must be one.
pub(super) fn issued(session: u64) -> Result<u64, WireError> {
    if session == 0 {
        return Err(WireError::Field {
            field: "session",
            why: "0 means that there is none".into(),
        });
    }
    Ok(session)
}

/// The error for a command that does not go in this direction.
pub(super) fn unknown(command: Command) -> WireError {
    WireError::UnknownCommand {
        command: command as u8,
    }
}
