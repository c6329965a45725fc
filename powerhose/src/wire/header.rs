use super::error::WireError;

/// The version of the protocol that this crate speaks.
pub const VERSION: u8 = 1;

/// The length of a header in bytes. A frame of up to 33 bytes costs libzmq no allocation.
pub const HEADER_LEN: usize = 28;

/// The commands of protocol.md, section "Commands".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Command {
    /// Worker to master: here I am, this is what I offer.
    Register = 0x01,
    /// Master to worker: your session and the terms.
    Registered = 0x02,
    /// Master to peer: refused, with the reason.
    Rejected = 0x03,
    /// Both ways: still here.
    Heartbeat = 0x04,
    /// Master to worker: do this.
    Job = 0x05,
    /// Worker to master: how an attempt ended.
    Result = 0x06,
    /// Master to worker: the result of an attempt is no longer wanted.
    Cancel = 0x07,
    /// Master to worker: finish what you have and leave. Worker to master: send me no more.
    Drain = 0x08,
    /// Both ways: this session is over.
    Disconnect = 0x09,
    /// Client to master: here I am, and this is where I was.
    Open = 0x10,
    /// Master to client: your session and the terms.
    Opened = 0x11,
    /// Client to master: have this done.
    Submit = 0x12,
    /// Master to client: how a job ended.
    Reply = 0x13,
    /// Client to master: the outcome of a job is no longer wanted.
    Withdraw = 0x14,
    /// Anyone to master: how are you?
    Status = 0x15,
    /// Master to whoever asked: this is how I am.
    Report = 0x16,
}

impl Command {
    /// Every command, in the order of their numbers.
    pub const ALL: &[Self] = &[
        Self::Register,
        Self::Registered,
        Self::Rejected,
        Self::Heartbeat,
        Self::Job,
        Self::Result,
        Self::Cancel,
        Self::Drain,
        Self::Disconnect,
        Self::Open,
        Self::Opened,
        Self::Submit,
        Self::Reply,
        Self::Withdraw,
        Self::Status,
        Self::Report,
    ];

    fn from_wire(number: u8) -> Result<Self, WireError> {
        (Self::ALL.iter().copied())
            .find(|command| *command as u8 == number)
            .ok_or(WireError::UnknownCommand { command: number })
    }
}

/// The flags of a header: which frames follow it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flags {
    /// The body is the rest of the header's frame.
    pub inline_body: bool,
    /// The next frame is the body.
    pub body_frame: bool,
    /// The last frame is metadata.
    pub metadata: bool,
}

impl Flags {
    /// The bit of [`Flags::inline_body`].
    pub const INLINE_BODY: u8 = 0x01;
    /// The bit of [`Flags::body_frame`].
    pub const BODY_FRAME: u8 = 0x02;
    /// The bit of [`Flags::metadata`].
    pub const METADATA: u8 = 0x04;

    pub(super) fn to_wire(self) -> u8 {
        let bit = |set: bool, bit: u8| if set { bit } else { 0 };
        bit(self.inline_body, Self::INLINE_BODY)
            | bit(self.body_frame, Self::BODY_FRAME)
            | bit(self.metadata, Self::METADATA)
    }

    fn from_wire(flags: u8) -> Result<Self, WireError> {
        let known = Self::INLINE_BODY | Self::BODY_FRAME | Self::METADATA;
        let both = Self::INLINE_BODY | Self::BODY_FRAME;
        if flags & !known != 0 || flags & both == both {
            return Err(WireError::Flags { flags });
        }
        Ok(Self {
            inline_body: flags & Self::INLINE_BODY != 0,
            body_frame: flags & Self::BODY_FRAME != 0,
            metadata: flags & Self::METADATA != 0,
        })
    }

    /// The number of frames that these flags announce, the header's own included.
    pub fn frames(self) -> usize {
        1 + usize::from(self.body_frame) + usize::from(self.metadata)
    }
}

/// The fixed part of a message; protocol.md, section "Header". All numbers are big-endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// What the message is.
    pub command: Command,
    /// Which frames follow.
    pub flags: Flags,
    /// JOB, RESULT and CANCEL: the number of the attempt, from 1. SUBMIT: the most attempts. REPLY: how many there were. Else
    /// 0.
    pub attempt: u8,
    /// JOB and SUBMIT: the remaining budget in milliseconds. RESULT: how long the handler ran, in microseconds. REPLY: see its
    /// code. Else 0.
    pub time: u32,
    /// The session; 0 where there is none yet.
    pub session: u64,
    /// The job, by the master's number, or by the client's where the session is one's. HEARTBEAT of a client: the replies
    /// that it has received. Else 0.
    pub job: u64,
    /// JOB: the index of the service in the worker's REGISTER. SUBMIT: the length of the service's name. REPLY: whether the job
    /// was started. Else 0.
    pub service: u16,
    /// RESULT, REJECTED, CANCEL, DISCONNECT and REPLY: see the command's table of codes. SUBMIT: the options. Else 0.
    pub code: u16,
}

impl Header {
    /// A header with every optional field 0.
    pub(super) fn new(command: Command, session: u64) -> Self {
        Self {
            command,
            flags: Flags::default(),
            attempt: 0,
            time: 0,
            session,
            job: 0,
            service: 0,
            code: 0,
        }
    }

    /// The bytes on the wire.
    pub fn to_bytes(&self) -> [u8; HEADER_LEN] {
        let mut bytes = [0; HEADER_LEN];
        bytes[0] = VERSION;
        bytes[1] = self.command as u8;
        bytes[2] = self.flags.to_wire();
        bytes[3] = self.attempt;
        bytes[4..8].copy_from_slice(&self.time.to_be_bytes());
        bytes[8..16].copy_from_slice(&self.session.to_be_bytes());
        bytes[16..24].copy_from_slice(&self.job.to_be_bytes());
        bytes[24..26].copy_from_slice(&self.service.to_be_bytes());
        bytes[26..28].copy_from_slice(&self.code.to_be_bytes());
        bytes
    }

    /// Reads a header from the start of a message's first frame.
    ///
    /// # Errors
    /// [`WireError::ShortHeader`], [`WireError::Version`], [`WireError::UnknownCommand`] or [`WireError::Flags`], looked
    /// for in this order: the version comes before everything whose meaning depends on it.
    pub fn parse(frame: &[u8]) -> Result<Self, WireError> {
        if let Some(&version) = frame.first()
            && version != VERSION
        {
            return Err(WireError::Version { version });
        }
        let Some(bytes) = frame.first_chunk::<HEADER_LEN>() else {
            return Err(WireError::ShortHeader { len: frame.len() });
        };
        let [_, command, flags, attempt, rest @ ..] = *bytes;
        let (time, rest) = take::<4>(&rest);
        let (session, rest) = take::<8>(rest);
        let (job, rest) = take::<8>(rest);
        let (service, rest) = take::<2>(rest);
        let (code, _) = take::<2>(rest);
        Ok(Self {
            command: Command::from_wire(command)?,
            flags: Flags::from_wire(flags)?,
            attempt,
            time: u32::from_be_bytes(time),
            session: u64::from_be_bytes(session),
            job: u64::from_be_bytes(job),
            service: u16::from_be_bytes(service),
            code: u16::from_be_bytes(code),
        })
    }
}

/// Splits off the next `N` bytes. The header's length is fixed, so they are always there.
fn take<const N: usize>(bytes: &[u8]) -> ([u8; N], &[u8]) {
    match bytes.split_first_chunk::<N>() {
        Some((chunk, rest)) => (*chunk, rest),
        None => ([0; N], &[]),
    }
}
