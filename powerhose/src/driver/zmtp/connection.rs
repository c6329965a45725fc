//! One peer: the handshake with it, then messages.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use bytes::Bytes;

use super::command::{self, Command};
use super::inlet::{Inlet, Piece, Read, Unfinished};
use super::outlet::{Outlet, Written};
use super::{Role, Violation, greeting};
use crate::driver::frames::{Parcel, Sending};
use crate::wire::limits::MAX_FRAMES;

/// A connected socket and what is known of its peer.
pub(super) struct Connection {
    socket: OwnedFd,
    role: Role,
    phase: Phase,
    unfinished: Unfinished,
    /// The frames of an unfinished message.
    frames: Vec<Bytes>,
    outlet: Outlet,
    /// Nothing can be written any more. What the peer has sent can still be read.
    is_deaf: bool,
    has_identity: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Its greeting is awaited.
    Greeting,
    /// Its READY is awaited.
    Handshake,
    /// Messages come and go.
    Up,
}

/// What a look at the bytes of a connection led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// A message was appended to the frames.
    Message,
    /// The handshake is done.
    Up,
    /// More bytes are needed.
    Starved,
}

impl Connection {
    /// Takes over a connected socket that does not block. Our part of the handshake waits to be [written](Self::write): it depends on
    /// nothing that the peer says.
    pub(super) fn new(socket: OwnedFd, role: Role) -> Self {
        #[cfg(target_vendor = "apple")]
        let _ = rustix::net::sockopt::set_socket_nosigpipe(&socket, true);
        let mut outlet = Outlet::default();
        outlet.put(|into| {
            into.extend_from_slice(&greeting::ours());
            command::write_ready(into, role);
        });
        Self {
            socket,
            role,
            phase: Phase::Greeting,
            unfinished: Unfinished::default(),
            frames: Vec::new(),
            outlet,
            is_deaf: false,
            has_identity: false,
        }
    }

    pub(super) fn is_up(&self) -> bool {
        self.phase == Phase::Up
    }

    /// Whether the peer chose a routing id itself.
    pub(super) fn has_identity(&self) -> bool {
        self.has_identity
    }

    /// Reads what is there, into an inlet that has nothing left of others.
    pub(super) fn read(&mut self, inlet: &mut Inlet) -> Read {
        inlet.read(&self.socket, &mut self.unfinished)
    }

    /// Looks at what was read, up to the next message, whose frames are appended to `frames`. An answer may wait to be written then.
    #[inline]
    pub(super) fn next(
        &mut self,
        inlet: &mut Inlet,
        max_frame: u64,
        frames: &mut Vec<Bytes>,
    ) -> Result<Step, Violation> {
        if self.phase == Phase::Greeting {
            match inlet.greeting(&mut self.unfinished)? {
                Some(greeting) => greeting::check(&greeting)?,
                None => return Ok(Step::Starved),
            }
            self.phase = Phase::Handshake;
        }
        loop {
            match inlet.next(&mut self.unfinished, max_frame)? {
                Piece::Starved => return Ok(Step::Starved),
                Piece::Command(bytes) => {
                    let command = Command::read(bytes)?;
                    if let Some(step) = self.obey(&command)? {
                        return Ok(step);
                    }
                }
                Piece::Frame { .. } if self.phase != Phase::Up => return Err(Violation::Command),
                Piece::Frame { bytes, more: false } => {
                    frames.append(&mut self.frames);
                    frames.push(bytes);
                    return Ok(Step::Message);
                }
                Piece::Frame { bytes, more: true } => {
                    // One too many is enough for the codec to see that they are.
                    if self.frames.len() < MAX_FRAMES {
                        self.frames.push(bytes);
                    }
                }
            }
        }
    }

    fn obey(&mut self, command: &Command<'_>) -> Result<Option<Step>, Violation> {
        match (self.phase, command) {
            (
                Phase::Handshake,
                Command::Ready {
                    socket_type,
                    identity,
                },
            ) => {
                if !self.role.accepts(socket_type) {
                    return Err(Violation::SocketType);
                }
                self.has_identity = !identity.is_empty();
                self.phase = Phase::Up;
                Ok(Some(Step::Up))
            }
            (Phase::Handshake, Command::Error) => Err(Violation::Refused),
            (Phase::Up, Command::Ping { context }) => {
                // A peer that asks without reading the answers gets no more of them.
                if self.outlet.has_room() {
                    self.outlet.put(|into| command::write_pong(into, context));
                }
                Ok(None)
            }
            (Phase::Up, Command::Pong | Command::Other) => Ok(None),
            _ => Err(Violation::Command),
        }
    }

    /// Has a message wait to be written.
    #[inline]
    pub(super) fn send(&mut self, parcel: &mut Parcel) -> Sending {
        if self.is_deaf {
            return Sending::Unreachable;
        }
        if !self.outlet.has_room() && self.write() != Written::Broken && !self.outlet.has_room() {
            return Sending::WouldBlock;
        }
        self.outlet.push(parcel);
        Sending::Sent
    }

    /// Has everything of an outlet wait to be written.
    pub(super) fn send_all(&mut self, outlet: &mut Outlet) {
        self.outlet.append(outlet);
    }

    /// Has a PING wait to be written.
    pub(super) fn ping(&mut self) {
        if self.outlet.has_room() {
            self.outlet.put(command::write_ping);
        }
    }

    /// Writes what waits, as far as the peer takes it.
    pub(super) fn write(&mut self) -> Written {
        let written = self.outlet.write(&self.socket);
        if written == Written::Broken {
            self.is_deaf = true;
            self.outlet.clear();
        }
        written
    }

    /// Whether something waits to be written.
    pub(super) fn has_mail(&self) -> bool {
        !self.outlet.is_empty()
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
