//! Bytes on their way in.

use std::io;
use std::os::fd::AsFd;

use bytes::Bytes;
use rustix::buffer::spare_capacity;
use rustix::io::{Errno, read};

use super::frame::{Head, MAX_HEAD};
use super::{COPY_LIMIT, Violation, command, greeting};

/// The bytes read at once, from one connection after the other: few enough that a peer which sends as fast as it can does not hold up the
/// others for long. All connections of a socket share the memory.
const LEN: usize = 32 * 1024;

/// What was read from a connection and not looked at yet.
pub(super) struct Inlet {
    bytes: Box<[u8]>,
    start: usize,
    end: usize,
}

/// What a connection keeps of its unfinished frame, between two reads.
#[derive(Default)]
pub(super) struct Unfinished {
    /// The bytes of a frame that will fit into an [`Inlet`].
    held: Vec<u8>,
    large: Option<Large>,
}

/// A frame that is read into memory of its own. The memory is the system's until bytes come: a length alone costs nothing.
struct Large {
    bytes: Vec<u8>,
    len: usize,
    more: bool,
}

/// What a read from a connection brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Read {
    /// Some bytes; `is_all` if there were no more.
    Some { is_all: bool },
    /// There is nothing to read now.
    Nothing,
    /// The peer has closed the connection, or is gone.
    End,
}

/// A frame, or the lack of one.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    Command(&'a [u8]),
    Frame {
        bytes: Bytes,
        more: bool,
    },
    /// The rest of what was read is kept by the connection.
    Starved,
}

impl Inlet {
    pub(super) fn new() -> Self {
        Self {
            bytes: vec![0; LEN].into_boxed_slice(),
            start: 0,
            end: 0,
        }
    }

    /// Reads from a connection, behind what it has kept. What was read before has been looked at.
    pub(super) fn read(&mut self, socket: impl AsFd, unfinished: &mut Unfinished) -> Read {
        let (wanted, read) = if let Some(large) = &mut unfinished.large {
            let wanted = large.bytes.capacity() - large.bytes.len();
            (
                wanted,
                retry(|| read(&socket, spare_capacity(&mut large.bytes))),
            )
        } else {
            let held = &mut unfinished.held;
            self.start = 0;
            self.end = held.len();
            self.bytes[..self.end].copy_from_slice(held);
            held.clear();
            let room = &mut self.bytes[self.end..];
            let wanted = room.len();
            (wanted, retry(|| read(&socket, &mut *room)))
        };
        match read {
            Ok(0) => Read::End,
            Ok(read) => {
                if unfinished.large.is_none() {
                    self.end += read;
                }
                Read::Some {
                    is_all: read < wanted,
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.keep(unfinished);
                Read::Nothing
            }
            Err(_) => Read::End,
        }
    }

    /// Takes the greeting out of what was read.
    pub(super) fn greeting(
        &mut self,
        unfinished: &mut Unfinished,
    ) -> Result<Option<[u8; greeting::LEN]>, Violation> {
        let bytes = &self.bytes[self.start..self.end];
        if let Some(greeting) = bytes.first_chunk().copied() {
            self.start += greeting::LEN;
            return Ok(Some(greeting));
        }
        if !greeting::may_become(bytes) {
            return Err(Violation::Greeting);
        }
        self.keep(unfinished);
        Ok(None)
    }

    /// Takes the next frame or command out of what was read.
    #[inline]
    pub(super) fn next(
        &mut self,
        unfinished: &mut Unfinished,
        max_frame: u64,
    ) -> Result<Piece<'_>, Violation> {
        if unfinished.large.is_some() {
            return Ok(self.finish_large(unfinished));
        }
        let bytes = &self.bytes[self.start..self.end];
        let Some(head) = Head::read(bytes)? else {
            self.keep(unfinished);
            return Ok(Piece::Starved);
        };
        let limit = if head.is_command {
            command::MAX_LEN
        } else {
            max_frame
        };
        let len = usize::try_from(head.len).map_err(|_| Violation::FrameSize)?;
        if head.len > limit {
            return Err(Violation::FrameSize);
        }
        let begin = self.start + head.size;
        if let Some(body) = bytes.get(head.size..).and_then(|rest| rest.get(..len)) {
            self.start = begin + len;
            return Ok(if head.is_command {
                Piece::Command(&self.bytes[begin..begin + len])
            } else {
                let bytes = Bytes::copy_from_slice(body);
                let more = head.more;
                Piece::Frame { bytes, more }
            });
        }
        if len <= COPY_LIMIT {
            self.keep(unfinished);
        } else {
            let mut bytes = Vec::with_capacity(len);
            bytes.extend_from_slice(&self.bytes[begin..self.end]);
            self.start = self.end;
            let more = head.more;
            unfinished.large = Some(Large { bytes, len, more });
        }
        Ok(Piece::Starved)
    }

    fn finish_large(&mut self, unfinished: &mut Unfinished) -> Piece<'_> {
        match unfinished.large.take() {
            Some(Large {
                mut bytes,
                len,
                more,
            }) if bytes.len() >= len => {
                // An allocator may give more room than was asked for.
                let after = bytes.split_off(len);
                self.start = 0;
                self.end = after.len();
                self.bytes[..after.len()].copy_from_slice(&after);
                let bytes = Bytes::from(bytes);
                Piece::Frame { bytes, more }
            }
            large => {
                unfinished.large = large;
                Piece::Starved
            }
        }
    }

    /// Leaves what is left to the connection: the beginning of a greeting, or of a short frame.
    fn keep(&mut self, unfinished: &mut Unfinished) {
        let left = &self.bytes[self.start..self.end];
        debug_assert!(
            left.len() < COPY_LIMIT + MAX_HEAD,
            "it would not fit beside new bytes"
        );
        unfinished.held.extend_from_slice(left);
        self.start = self.end;
    }
}

fn retry(mut call: impl FnMut() -> rustix::io::Result<usize>) -> io::Result<usize> {
    loop {
        match call() {
            Err(Errno::INTR) => {}
            result => return Ok(result?),
        }
    }
}
