//! A socket that connects to a unix socket, again and again if need be.

use std::io;
use std::mem;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketType, connect, socket};

use super::connection::{Connection, Step};
use super::inlet::{Inlet, Read};
use super::outlet::Outlet;
use super::{RECONNECT, Role, linger};
use crate::driver::frames::{Parcel, Sending};
use crate::driver::socket::Options;
use crate::time::Time;

/// A DEALER with one connection, over ipc.
///
/// Like libzmq's, it connects anew when the connection is lost. What waited for the lost one is dropped, since nobody
/// can tell how much of it arrived; what is sent while there is none waits for the next.
pub(in crate::driver) struct Dealer {
    path: PathBuf,
    options: Options,
    line: Line,
    inlet: Inlet,
    /// Bytes that were read are still to be looked at.
    is_reading: bool,
    /// The last read has taken everything that was there.
    is_spent: bool,
    /// What was sent before the handshake was done.
    waiting: Outlet,
    news: Broken,
    /// It was said that what listens there speaks something else.
    has_warned: bool,
}

enum Line {
    Connected(Connection),
    /// To be tried again, at this time once it is known.
    Down(Option<Time>),
}

/// What became of connections since it was last asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Broken {
    /// One that there was has ended.
    pub(crate) has_ended: bool,
    /// One could not be made.
    pub(crate) was_refused: bool,
}

impl Dealer {
    /// Connects to a path, and keeps trying to if nobody listens there yet.
    ///
    /// # Errors
    /// When descriptors have run out, or the path is none.
    pub(in crate::driver) fn connect(path: &Path, options: &Options) -> io::Result<Self> {
        let mut dealer = Self {
            path: path.to_owned(),
            options: *options,
            line: Line::Down(None),
            inlet: Inlet::new(),
            is_reading: false,
            is_spent: false,
            waiting: Outlet::default(),
            news: Broken::default(),
            has_warned: false,
        };
        dealer.try_connect()?;
        Ok(dealer)
    }

    fn try_connect(&mut self) -> io::Result<()> {
        match open(&self.path) {
            Ok(socket) => {
                let mut connection = Connection::new(socket, Role::Dealer);
                connection.write();
                self.line = Line::Connected(connection);
                self.is_spent = false;
                Ok(())
            }
            Err(
                error @ (Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM | Errno::INVAL),
            ) => Err(error.into()),
            // AGAIN: too many others are about to connect. Otherwise nobody listens.
            Err(error) => {
                self.news.was_refused |= error != Errno::AGAIN;
                self.line = Line::Down(None);
                Ok(())
            }
        }
    }

    /// Receives a message, if there is one: its frames are appended to `frames`.
    pub(in crate::driver) fn receive(&mut self, frames: &mut Vec<Bytes>) -> bool {
        while let Line::Connected(connection) = &mut self.line {
            if !self.is_reading {
                if self.is_spent {
                    self.is_spent = false;
                    return false;
                }
                match connection.read(&mut self.inlet) {
                    Read::Some { is_all } => self.is_spent = is_all,
                    Read::Nothing => return false,
                    Read::End => {
                        self.lose();
                        return false;
                    }
                }
                self.is_reading = true;
            }
            match connection.next(&mut self.inlet, self.options.max_frame, frames) {
                Ok(Step::Message) => return true,
                Ok(Step::Up) => {
                    connection.send_all(&mut self.waiting);
                    connection.write();
                }
                Ok(Step::Starved) => self.is_reading = false,
                Err(violation) => {
                    if !mem::replace(&mut self.has_warned, true) {
                        let path = self.path.display();
                        tracing::warn!(%path, %violation, "what listens there is no peer of this protocol");
                    }
                    self.lose();
                    return false;
                }
            }
        }
        false
    }

    fn lose(&mut self) {
        self.line = Line::Down(None);
        self.is_reading = false;
        self.news.has_ended = true;
    }

    /// Has a message wait for [`flush`](Self::flush).
    pub(in crate::driver) fn send(&mut self, parcel: &mut Parcel) -> Sending {
        match &mut self.line {
            // A connection that breaks is noticed by reading.
            Line::Connected(connection) if connection.is_up() => match connection.send(parcel) {
                Sending::Unreachable => Sending::Sent,
                sending => sending,
            },
            _ if self.waiting.has_room() => {
                self.waiting.push(parcel);
                Sending::Sent
            }
            _ => Sending::WouldBlock,
        }
    }

    /// Writes what waits, as far as the peer takes it, and connects again if it is time.
    pub(in crate::driver) fn flush(&mut self, now: Time) {
        match &mut self.line {
            Line::Connected(connection) => {
                if connection.has_mail() {
                    connection.write();
                }
            }
            Line::Down(None) => self.line = Line::Down(Some(now + RECONNECT)),
            Line::Down(Some(at)) if *at <= now => {
                if let Err(error) = self.try_connect() {
                    tracing::error!(%error, "cannot open a connection");
                }
                if matches!(self.line, Line::Down(_)) {
                    self.line = Line::Down(Some(now + RECONNECT));
                }
            }
            Line::Down(Some(_)) => {}
        }
    }

    /// When [`flush`](Self::flush) has something to do that no descriptor tells of.
    pub(in crate::driver) fn next_deadline(&self) -> Option<Time> {
        match self.line {
            Line::Connected(_) => None,
            Line::Down(at) => Some(at.unwrap_or(Time::ZERO)),
        }
    }

    /// The descriptor to poll, and whether to poll it for room, too.
    pub(in crate::driver) fn interest(&self) -> Option<(BorrowedFd<'_>, bool)> {
        match &self.line {
            Line::Connected(connection) => Some((connection.as_fd(), connection.has_mail())),
            Line::Down(_) => None,
        }
    }

    /// What became of connections since the last call.
    pub(in crate::driver) fn news(&mut self) -> Broken {
        mem::take(&mut self.news)
    }

    /// Whether there is something that [`news`](Self::news) will tell.
    pub(in crate::driver) fn has_news(&self) -> bool {
        self.news != Broken::default()
    }

    /// Changes how long the socket, once closed, goes on delivering what was sent.
    pub(in crate::driver) fn set_linger(&mut self, linger: Duration) {
        self.options.linger = linger;
    }
}

impl Drop for Dealer {
    fn drop(&mut self) {
        if self.options.linger.is_zero() {
            return;
        }
        let until = linger::Deadline::new(self.options.linger);
        // A message may wait for the handshake.
        while !self.waiting.is_empty()
            && let Line::Connected(connection) = &self.line
            && until.wait_for_input(connection)
        {
            self.is_spent = false;
            self.receive(&mut Vec::new());
        }
        if let Line::Connected(connection) = &mut self.line {
            until.write(&mut [connection]);
        }
    }
}

fn open(path: &Path) -> Result<OwnedFd, Errno> {
    let address = SocketAddrUnix::new(path)?;
    let socket = socket(AddressFamily::UNIX, SocketType::STREAM, None)?;
    rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::CLOEXEC)?;
    rustix::io::ioctl_fionbio(&socket, true)?;
    connect(&socket, &address)?;
    Ok(socket)
}
