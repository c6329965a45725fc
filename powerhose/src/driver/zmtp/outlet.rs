//! Bytes on their way out.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::mem;
use std::os::fd::AsFd;

use bytes::Bytes;
use rustix::io::Errno;
use rustix::net::{SendAncillaryBuffer, SendFlags, send, sendmsg};

use super::frame::write_head;
use super::{COPY_LIMIT, HIGH_WATER_MARK};
use crate::driver::frames::Parcel;

/// The most pieces written by one call.
const PIECES: usize = 32;

/// Memory that is kept for the next messages once it is empty. A connection that rests has no more.
const KEPT: usize = 32 * 1024;

/// What waits to be written to a connection, in this order.
#[derive(Default)]
pub(super) struct Outlet {
    pieces: VecDeque<Piece>,
    /// The bytes of the first piece that are written already.
    written: usize,
    /// The bytes that are not.
    waiting: usize,
    /// Empty, for the next small messages.
    spare: Vec<u8>,
}

enum Piece {
    /// Heads of frames, and frames that are copied.
    Copied(Vec<u8>),
    Shared(Bytes),
}

impl Piece {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Copied(bytes) => bytes,
            Self::Shared(bytes) => bytes,
        }
    }
}

/// What became of an attempt to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    All,
    /// The peer has to read first.
    Some,
    /// Nobody will read it.
    Broken,
}

impl Outlet {
    /// Whether there is room for a message.
    pub(super) fn has_room(&self) -> bool {
        self.waiting < HIGH_WATER_MARK
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting == 0
    }

    /// Takes a message.
    pub(super) fn push(&mut self, parcel: &mut Parcel) {
        let before = self.copied().len();
        let (first, [body, metadata]) = parcel.frames();
        let rest = [body.take(), metadata.take()];
        let mut left = rest.iter().flatten().count();
        let copied = self.copied();
        write_head(copied, first.len(), left > 0);
        copied.extend_from_slice(first);
        self.waiting += copied.len() - before;
        for frame in rest.into_iter().flatten() {
            left -= 1;
            let copied = self.copied();
            let before = copied.len();
            write_head(copied, frame.len(), left > 0);
            if frame.len() <= COPY_LIMIT {
                copied.extend_from_slice(&frame);
                self.waiting += copied.len() - before;
            } else {
                self.waiting += copied.len() - before + frame.len();
                self.pieces.push_back(Piece::Shared(frame));
            }
        }
    }

    /// Takes what `write` writes.
    pub(super) fn put(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let copied = self.copied();
        let before = copied.len();
        write(copied);
        self.waiting += copied.len() - before;
    }

    /// The memory that small things are copied to.
    fn copied(&mut self) -> &mut Vec<u8> {
        if !matches!(self.pieces.back(), Some(Piece::Copied(_))) {
            self.pieces
                .push_back(Piece::Copied(mem::take(&mut self.spare)));
        }
        match self.pieces.back_mut() {
            Some(Piece::Copied(bytes)) => bytes,
            _ => unreachable!("it was just pushed"),
        }
    }

    /// Writes as much as the peer takes.
    pub(super) fn write(&mut self, socket: impl AsFd) -> Written {
        while self.waiting > 0 {
            match self.write_once(&socket) {
                Ok(count) => self.advance(count),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Written::Some,
                Err(_) => return Written::Broken,
            }
        }
        Written::All
    }

    fn write_once(&self, socket: impl AsFd) -> rustix::io::Result<usize> {
        // A peer that is gone must not cost this process a signal.
        let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        let mut pieces = self.pieces.iter().map(Piece::bytes);
        let first = &pieces.next().unwrap_or_default()[self.written..];
        if self.pieces.len() == 1 {
            return send(socket, first, flags);
        }
        let mut slices = [IoSlice::new(&[]); PIECES];
        slices[0] = IoSlice::new(first);
        let mut count = 1;
        for (slice, piece) in slices[1..].iter_mut().zip(pieces) {
            *slice = IoSlice::new(piece);
            count += 1;
        }
        sendmsg(
            socket,
            &slices[..count],
            &mut SendAncillaryBuffer::default(),
            flags,
        )
    }

    fn advance(&mut self, count: usize) {
        self.waiting -= count;
        self.written += count;
        while let Some(first) = self.pieces.front()
            && self.written >= first.bytes().len()
        {
            self.written -= first.bytes().len();
            if let Some(Piece::Copied(mut bytes)) = self.pieces.pop_front()
                && bytes.capacity() <= KEPT
            {
                bytes.clear();
                self.spare = bytes;
            }
        }
    }

    /// Appends what waits in another outlet.
    pub(super) fn append(&mut self, other: &mut Self) {
        debug_assert_eq!(other.written, 0, "it was never written from");
        self.waiting += mem::take(&mut other.waiting);
        self.pieces.append(&mut other.pieces);
    }

    /// Drops everything.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}
