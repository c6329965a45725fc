use super::codes::RejectReason;

/// Why frames are not a command. It is always the sender's fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// The first frame is shorter than a header.
    #[error("the first frame has {len} bytes, a header has 28")]
    ShortHeader {
        /// The length of the first frame in bytes.
        len: usize,
    },
    /// The peer speaks another version of the protocol.
    #[error("protocol version {version} is not spoken here, only version 1 is")]
    Version {
        /// The version that the peer named.
        version: u8,
    },
    /// No command has this number, or it does not go in this direction.
    #[error("command {command:#04x} is unknown here")]
    UnknownCommand {
        /// The number of the command.
        command: u8,
    },
    /// A flag is set that version 1 does not define or the command does not allow, or flags contradict each other.
    #[error("flags {flags:#04x} are not allowed")]
    Flags {
        /// The flags as received.
        flags: u8,
    },
    /// The number of frames differs from what the flags announce.
    #[error("{got} frames came where the flags announce {announced}")]
    Frames {
        /// The number of frames received, not counting the routing id.
        got: usize,
        /// The number of frames that the flags announce.
        announced: usize,
    },
    /// A field holds a value that the command does not allow.
    #[error("the {field} is not valid: {why}")]
    Field {
        /// The name of the field, as in protocol.md.
        field: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// A part of the message is larger than its limit.
    #[error("the {part} has {len} bytes, the limit is {limit}")]
    TooLarge {
        /// The part: `body`, `metadata` or `control body`.
        part: &'static str,
        /// Its length in bytes.
        len: usize,
        /// The limit in bytes.
        limit: usize,
    },
}

impl WireError {
    /// A stable code for counters and logs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::ShortHeader { .. } => "short-header",
            Self::Version { .. } => "version",
            Self::UnknownCommand { .. } => "unknown-command",
            Self::Flags { .. } => "flags",
            Self::Frames { .. } => "frames",
            Self::Field { .. } => "field",
            Self::TooLarge { .. } => "too-large",
        }
    }

    /// What REJECTED tells the sender.
    pub fn reject_reason(&self) -> RejectReason {
        match self {
            Self::Version { .. } => RejectReason::UnsupportedVersion,
            Self::UnknownCommand { .. } => RejectReason::UnknownCommand,
            Self::TooLarge { .. } => RejectReason::TooLarge,
            Self::ShortHeader { .. }
            | Self::Flags { .. }
            | Self::Frames { .. }
            | Self::Field { .. } => RejectReason::Malformed,
        }
    }
}
