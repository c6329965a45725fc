//! A socket that listens on unix sockets and tells its peers apart.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::mem;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use mio::unix::SourceFd;
use mio::{Events, Interest, Token};
use rustc_hash::FxHashMap;

use super::connection::{Connection, Step};
use super::inlet::{Inlet, Read};
use super::outlet::Written;
use super::{HANDSHAKE_TIMEOUT, Role, linger};
use crate::driver::frames::{Parcel, Sending};
use crate::driver::monitor::News;
use crate::driver::socket::Options;
use crate::time::Time;

/// The events taken from the system at once.
const EVENTS: usize = 256;

/// How soon it is tried again to accept a connection, after descriptors had run out.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// A ROUTER over ipc.
pub(in crate::driver) struct Router {
    poll: mio::Poll,
    events: Events,
    options: Options,
    listeners: Vec<Listener>,
    peers: FxHashMap<u64, Peer>,
    /// The number of the next connection.
    next: u64,
    /// Connections that may have something to read.
    readable: VecDeque<u64>,
    /// The one whose bytes are in the inlet.
    reading: Option<u64>,
    inlet: Inlet,
    /// Connections with something to write.
    dirty: Vec<u64>,
    news: News,
    /// When peers are to be pinged, and the silent ones given up.
    next_beat: Option<Time>,
}

struct Listener {
    inner: UnixListener,
    path: PathBuf,
    /// Somebody may wait to be accepted.
    is_ready: bool,
}

struct Peer {
    connection: Connection,
    /// It is among the readable ones.
    is_readable: bool,
    /// The peer has closed it; what it sent before may still be there to read.
    is_closing: bool,
    /// It is among the dirty ones.
    is_dirty: bool,
    /// The system is asked to tell when there is room.
    is_blocked: bool,
    /// Something was read since the last beat.
    was_heard: bool,
    /// Since when an answer is awaited: to a PING, or the handshake.
    waiting_since: Option<Time>,
}

/// Numbers of connections begin here; the tokens below are listeners'.
const FIRST: u64 = 1 << 10;

impl Router {
    /// Opens a socket that listens nowhere yet.
    ///
    /// # Errors
    /// When descriptors have run out.
    pub(in crate::driver) fn new(options: &Options) -> io::Result<Self> {
        Ok(Self {
            poll: mio::Poll::new()?,
            events: Events::with_capacity(EVENTS),
            options: *options,
            listeners: Vec::new(),
            peers: FxHashMap::default(),
            next: FIRST,
            readable: VecDeque::new(),
            reading: None,
            inlet: Inlet::new(),
            dirty: Vec::new(),
            news: News::default(),
            next_beat: None,
        })
    }

    /// Listens at a path, of which the caller holds the [`Claim`](crate::driver::claim::Claim).
    ///
    /// # Errors
    /// What the system said.
    pub(in crate::driver) fn bind(&mut self, path: &Path) -> io::Result<()> {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let inner = UnixListener::bind(path)?;
        inner.set_nonblocking(true)?;
        let token = Token(self.listeners.len());
        let fd = inner.as_raw_fd();
        (self.poll.registry()).register(&mut SourceFd(&fd), token, Interest::READABLE)?;
        self.listeners.push(Listener {
            inner,
            path: path.to_owned(),
            is_ready: false,
        });
        Ok(())
    }

    /// Receives a message, if there is one: its frames are appended to `frames`. Returns the connection that it came over, and whether its
    /// peer chose a routing id itself.
    #[inline]
    pub(in crate::driver) fn receive(&mut self, frames: &mut Vec<Bytes>) -> Option<(u64, bool)> {
        loop {
            if let Some(number) = self.reading {
                if let Some(has_identity) = self.look(number, frames) {
                    return Some((number, has_identity));
                }
            } else if let Some(number) = self.readable.pop_front() {
                self.read(number);
            } else if !self.ask() {
                return None;
            }
        }
    }

    /// Looks at what was read from a connection. Returns whether its peer has an identity if there was a message.
    #[inline]
    fn look(&mut self, number: u64, frames: &mut Vec<Bytes>) -> Option<bool> {
        let Some(peer) = self.peers.get_mut(&number) else {
            self.reading = None;
            return None;
        };
        match (peer.connection).next(&mut self.inlet, self.options.max_frame, frames) {
            Ok(Step::Message) => Some(peer.connection.has_identity()),
            Ok(Step::Up) => {
                peer.waiting_since = None;
                None
            }
            Ok(Step::Starved) => {
                self.reading = None;
                // A PING may have been answered.
                if peer.connection.has_mail() && !mem::replace(&mut peer.is_dirty, true) {
                    self.dirty.push(number);
                }
                None
            }
            Err(violation) => {
                tracing::debug!(%violation, "closed a connection over ipc");
                if !peer.connection.is_up() {
                    self.news.strangers += 1;
                }
                self.reading = None;
                self.remove(number);
                None
            }
        }
    }

    fn read(&mut self, number: u64) {
        let Some(peer) = self.peers.get_mut(&number) else {
            return;
        };
        peer.is_readable = false;
        match peer.connection.read(&mut self.inlet) {
            Read::Some { is_all } => {
                peer.was_heard = true;
                if peer.connection.is_up() {
                    peer.waiting_since = None;
                }
                self.reading = Some(number);
                // Of an end that was told together with the last bytes it is not told again.
                if !is_all || peer.is_closing {
                    peer.is_readable = true;
                    self.readable.push_back(number);
                }
            }
            Read::Nothing => {}
            Read::End => self.remove(number),
        }
    }

    fn remove(&mut self, number: u64) {
        if let Some(peer) = self.peers.remove(&number) {
            let fd = peer.connection.as_fd().as_raw_fd();
            let _ = self.poll.registry().deregister(&mut SourceFd(&fd));
            self.news.disconnected |= peer.connection.is_up();
        }
    }

    /// Asks the system what has become possible. Returns whether something has.
    fn ask(&mut self) -> bool {
        // It fails only for a signal, or for want of memory; then the next call asks again.
        let _ = self.poll.poll(&mut self.events, Some(Duration::ZERO));
        let mut accepting = false;
        for event in &self.events {
            let number = event.token().0 as u64;
            if number < FIRST {
                self.listeners[event.token().0].is_ready = true;
                accepting = true;
                continue;
            }
            let Some(peer) = self.peers.get_mut(&number) else {
                continue;
            };
            peer.is_closing |= event.is_read_closed() || event.is_error();
            let can_read = event.is_readable() || peer.is_closing;
            if can_read && !mem::replace(&mut peer.is_readable, true) {
                self.readable.push_back(number);
            }
            if event.is_writable() && peer.is_blocked && !mem::replace(&mut peer.is_dirty, true) {
                self.dirty.push(number);
            }
        }
        if accepting {
            self.accept();
        }
        !self.readable.is_empty()
    }

    fn accept(&mut self) {
        for place in 0..self.listeners.len() {
            while self.listeners[place].is_ready {
                match self.listeners[place].inner.accept() {
                    Ok((stream, _)) => {
                        if let Err(error) = stream
                            .set_nonblocking(true)
                            .and_then(|()| self.welcome(stream.into()))
                        {
                            tracing::warn!(%error, "cannot keep a connection");
                        }
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        self.listeners[place].is_ready = false;
                    }
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => {
                        tracing::error!(%error, "cannot accept a connection, will try again");
                        break;
                    }
                }
            }
        }
    }

    fn welcome(&mut self, socket: OwnedFd) -> io::Result<()> {
        let number = self.next;
        let fd = socket.as_raw_fd();
        let token = token(number)?;
        (self.poll.registry()).register(&mut SourceFd(&fd), token, Interest::READABLE)?;
        self.next += 1;
        let mut connection = Connection::new(socket, Role::Router);
        connection.write();
        let peer = Peer {
            connection,
            is_readable: true,
            is_closing: false,
            is_dirty: false,
            is_blocked: false,
            was_heard: false,
            waiting_since: None,
        };
        self.peers.insert(number, peer);
        self.readable.push_back(number);
        Ok(())
    }

    /// Has a message wait for [`flush`](Self::flush).
    #[inline]
    pub(in crate::driver) fn send(&mut self, number: u64, parcel: &mut Parcel) -> Sending {
        let Some(peer) = self.peers.get_mut(&number) else {
            return Sending::Unreachable;
        };
        let sending = peer.connection.send(parcel);
        if sending == Sending::Sent && !mem::replace(&mut peer.is_dirty, true) {
            self.dirty.push(number);
        }
        sending
    }

    /// Writes what waits, as far as the peers take it.
    pub(in crate::driver) fn flush(&mut self) {
        while let Some(number) = self.dirty.pop() {
            let Some(peer) = self.peers.get_mut(&number) else {
                continue;
            };
            peer.is_dirty = false;
            let must_wait = peer.connection.write() == Written::Some;
            if must_wait != peer.is_blocked {
                peer.is_blocked = must_wait;
                let interest = match must_wait {
                    true => Interest::READABLE | Interest::WRITABLE,
                    false => Interest::READABLE,
                };
                let fd = peer.connection.as_fd().as_raw_fd();
                let token = Token(number as usize);
                let registry = self.poll.registry();
                if let Err(error) = registry.reregister(&mut SourceFd(&fd), token, interest) {
                    tracing::error!(%error, "cannot watch a connection");
                }
            }
        }
    }

    /// Pings silent peers and gives up those that stay silent, if it is time. To be called when everything that came has been
    /// received: what waits unread is a sign of life.
    pub(in crate::driver) fn beat(&mut self, now: Time) {
        if self.next_beat.is_some_and(|at| now < at) {
            return;
        }
        let is_accepting = self.listeners.iter().any(|listener| listener.is_ready);
        if is_accepting {
            self.accept();
        }
        let (interval, timeout) = match self.options.heartbeat {
            Some((interval, timeout)) => (interval, Some(timeout)),
            None => (HANDSHAKE_TIMEOUT, None),
        };
        let again = self.listeners.iter().any(|listener| listener.is_ready);
        self.next_beat = Some(
            now + if again {
                ACCEPT_AGAIN.min(interval)
            } else {
                interval
            },
        );
        let mut lost = Vec::new();
        for (&number, peer) in &mut self.peers {
            let was_heard = mem::take(&mut peer.was_heard);
            let is_up = peer.connection.is_up();
            if let Some(since) = peer.waiting_since {
                let limit = if is_up {
                    timeout
                } else {
                    Some(HANDSHAKE_TIMEOUT)
                };
                if limit.is_some_and(|limit| now.since(since) >= limit) {
                    lost.push(number);
                }
            } else if !is_up {
                peer.waiting_since = Some(now);
            }
            if is_up && !was_heard && timeout.is_some() {
                peer.connection.ping();
                peer.waiting_since.get_or_insert(now);
                if !mem::replace(&mut peer.is_dirty, true) {
                    self.dirty.push(number);
                }
            }
        }
        for number in lost {
            tracing::debug!("closed a connection over ipc: its peer was silent for too long");
            self.remove(number);
        }
        self.flush();
    }

    /// When [`beat`](Self::beat) has something to do.
    pub(in crate::driver) fn next_beat(&self) -> Option<Time> {
        match self.peers.is_empty() && self.listeners.iter().all(|listener| !listener.is_ready) {
            true => None,
            false => Some(self.next_beat.unwrap_or(Time::ZERO)),
        }
    }

    /// What happened to connections since the last call.
    pub(in crate::driver) fn news(&mut self) -> News {
        mem::take(&mut self.news)
    }

    /// Whether there is something that [`news`](Self::news) will tell.
    pub(in crate::driver) fn has_news(&self) -> bool {
        self.news != News::default()
    }

    /// The descriptor to poll for input: it tells of everything that [`receive`](Self::receive) takes care of.
    pub(in crate::driver) fn fd(&self) -> BorrowedFd<'_> {
        self.poll.registry().as_fd()
    }
}

impl Drop for Router {
    fn drop(&mut self) {
        for listener in mem::take(&mut self.listeners) {
            let _ = fs::remove_file(&listener.path);
        }
        if !self.options.linger.is_zero() {
            let mut connections: Vec<_> = (self.peers.values_mut())
                .map(|peer| &mut peer.connection)
                .collect();
            linger::Deadline::new(self.options.linger).write(&mut connections);
        }
    }
}

fn token(number: u64) -> io::Result<Token> {
    match usize::try_from(number) {
        Ok(number) => Ok(Token(number)),
        Err(_) => Err(io::Error::other(
            "there were more connections than numbers for them",
        )),
    }
}
