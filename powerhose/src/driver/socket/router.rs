use std::cell::Cell;
use std::io;

use bytes::Bytes;

use super::{Foreign, Options, Origin, Places};
use crate::driver::curve::Domain;
use crate::driver::endpoint::Endpoint;
use crate::driver::frames::{Parcel, Sending};
use crate::driver::monitor::{Monitor, News};
use crate::driver::poll::Poll;
use crate::driver::{libzmq, zmtp};
use crate::security::CurveServer;
use crate::time::Time;

/// Connections over ipc are numbered from here, those over tcp below.
const FIRST_OF_IPC: u64 = 1 << 32;

/// A socket with many connections, each named by a number.
///
/// Sends to connections that are gone are reported, not swallowed.
pub(crate) struct Router {
    context: zmq::Context,
    options: Options,
    name: &'static str,
    ipc: Option<Ipc>,
    tcp: Option<Tcp>,
    /// Whose turn it is, so that neither starves the other.
    is_turn_of_tcp: bool,
}

struct Ipc {
    inner: zmtp::Router,
    /// It has answered that there is nothing to receive.
    is_dry: Cell<bool>,
}

/// Its monitor must outlive the socket.
struct Tcp {
    inner: libzmq::Router,
    monitor: Monitor,
    /// It has answered that there is nothing to receive, and has not been touched since.
    is_dry: Cell<bool>,
    has_news: Cell<bool>,
}

impl Router {
    /// A socket that listens nowhere yet. `name` is unique in the context.
    pub(crate) fn new(context: &zmq::Context, options: &Options, name: &'static str) -> Self {
        Self {
            context: context.clone(),
            options: *options,
            name,
            ipc: None,
            tcp: None,
            is_turn_of_tcp: false,
        }
    }

    /// Listens at `endpoint` and returns it as peers connect to it, with the port that the system chose. The caller holds the
    /// [`Claim`](crate::driver::claim::Claim) of an ipc path.
    ///
    /// # Errors
    /// What the system said.
    pub(crate) fn bind(&mut self, endpoint: &Endpoint) -> io::Result<String> {
        match endpoint {
            Endpoint::Ipc(path) => {
                let ipc = match &mut self.ipc {
                    Some(ipc) => ipc,
                    none => none.insert(Ipc {
                        inner: zmtp::Router::new(&self.options)?,
                        is_dry: Cell::new(false),
                    }),
                };
                ipc.inner.bind(path)?;
                Ok(endpoint.to_string())
            }
            Endpoint::Tcp(_) | Endpoint::Host(..) => self.tcp()?.inner.bind(endpoint),
        }
    }

    /// Encrypts and authenticates the connections to tcp endpoints that are bound from now on.
    ///
    /// # Errors
    /// When libzmq has no CURVE, or descriptors have run out.
    pub(crate) fn encrypt(&mut self, server: &CurveServer, domain: Domain) -> io::Result<()> {
        Ok(self.tcp()?.inner.encrypt(server, domain)?)
    }

    fn tcp(&mut self) -> io::Result<&mut Tcp> {
        Ok(match &mut self.tcp {
            Some(tcp) => tcp,
            none => {
                let mut inner = libzmq::Router::new(&self.context, &self.options)?;
                let monitor = inner.monitor(&self.context, self.name)?;
                none.insert(Tcp {
                    inner,
                    monitor,
                    is_dry: Cell::new(false),
                    has_news: Cell::new(false),
                })
            }
        })
    }

    /// Receives a message, if there is one: its frames are appended to `frames`.
    #[inline]
    pub(crate) fn receive(&mut self, frames: &mut Vec<Bytes>) -> Option<Origin> {
        if self.tcp.is_none() {
            return self.ipc.as_mut()?.receive(frames);
        }
        for _ in 0..2 {
            self.is_turn_of_tcp = !self.is_turn_of_tcp;
            let origin = if self.is_turn_of_tcp {
                self.tcp.as_mut().and_then(|tcp| tcp.receive(frames))
            } else {
                self.ipc.as_mut().and_then(|ipc| ipc.receive(frames))
            };
            if origin.is_some() {
                return origin;
            }
        }
        None
    }

    /// Whether there was nothing to receive when it was last looked for, and nothing has come to notice since.
    pub(crate) fn is_dry(&self) -> bool {
        self.ipc.as_ref().is_none_or(|ipc| ipc.is_dry.get())
            && self.tcp.as_ref().is_none_or(|tcp| tcp.is_dry.get())
    }

    /// Whether nothing is left to do but to wait.
    pub(crate) fn is_idle(&self) -> bool {
        self.is_dry() && !self.ipc.as_ref().is_some_and(|ipc| ipc.inner.has_news())
    }

    /// Sends a message over a connection, with the next [`flush`](Self::flush) at the latest.
    #[inline]
    pub(crate) fn send(&mut self, connection: u64, parcel: &mut Parcel) -> Sending {
        match connection.checked_sub(FIRST_OF_IPC) {
            Some(number) => match &mut self.ipc {
                Some(ipc) => ipc.inner.send(number, parcel),
                None => Sending::Unreachable,
            },
            None => match &mut self.tcp {
                Some(tcp) => {
                    tcp.is_dry.set(false);
                    let connection = u32::try_from(connection).unwrap_or_default();
                    tcp.inner.send(connection, parcel)
                }
                None => Sending::Unreachable,
            },
        }
    }

    /// Sends a message to a peer that chose its routing id itself.
    pub(crate) fn send_to_foreign(&mut self, peer: &Foreign, parcel: &mut Parcel) -> Sending {
        match (peer, &mut self.tcp) {
            (Foreign::Connection(connection), _) => self.send(*connection, parcel),
            (Foreign::RoutingId(id), Some(tcp)) => {
                tcp.is_dry.set(false);
                tcp.inner.send_to_foreign(id, parcel)
            }
            (Foreign::RoutingId(_), None) => Sending::Unreachable,
        }
    }

    /// Sends what waits, as far as the peers take it. When everything that came has been received, it also pings peers that
    /// are silent, and gives up those that stay so.
    pub(crate) fn flush(&mut self, now: Time) {
        if let Some(ipc) = &mut self.ipc {
            ipc.inner.flush();
            if ipc.is_dry.get() {
                ipc.inner.beat(now);
            }
        }
    }

    /// When [`flush`](Self::flush) has something to do that no descriptor tells of.
    pub(crate) fn next_deadline(&self) -> Option<Time> {
        self.ipc.as_ref().and_then(|ipc| ipc.inner.next_beat())
    }

    /// Has a poll look for input and news.
    pub(crate) fn watch<'fd>(&'fd self, poll: &mut Poll<'fd>) -> Places {
        Places {
            zmtp: self.ipc.as_ref().map(|ipc| poll.add(ipc.inner.fd())),
            libzmq: self.tcp.as_ref().map(|tcp| poll.add(tcp.inner.fd())),
            monitor: self.tcp.as_ref().map(|tcp| poll.add(tcp.monitor.fd())),
        }
    }

    /// Takes note of what the poll has found.
    pub(crate) fn note(&self, poll: &Poll<'_>, places: Places) {
        let is_ready = |place: Option<usize>| place.is_some_and(|place| poll.is_ready(place));
        if let Some(ipc) = self.ipc.as_ref().filter(|_| is_ready(places.zmtp)) {
            ipc.is_dry.set(false);
        }
        if let Some(tcp) = &self.tcp {
            tcp.is_dry.set(tcp.is_dry.get() && !is_ready(places.libzmq));
            tcp.has_news
                .set(tcp.has_news.get() || is_ready(places.monitor));
        }
    }

    /// Has everything looked at again, when there was no poll to tell.
    pub(crate) fn look_again(&self) {
        if let Some(ipc) = &self.ipc {
            ipc.is_dry.set(false);
        }
        if let Some(tcp) = &self.tcp {
            tcp.is_dry.set(false);
            tcp.has_news.set(true);
        }
    }

    /// What happened to connections since the last call.
    pub(crate) fn news(&mut self) -> News {
        let mut news = self
            .ipc
            .as_mut()
            .map(|ipc| ipc.inner.news())
            .unwrap_or_default();
        if let Some(tcp) = self.tcp.as_mut().filter(|tcp| tcp.has_news.take()) {
            news.add(tcp.monitor.take());
        }
        news
    }
}

impl Ipc {
    #[inline]
    fn receive(&mut self, frames: &mut Vec<Bytes>) -> Option<Origin> {
        if self.is_dry.get() {
            return None;
        }
        let Some((number, is_foreign)) = self.inner.receive(frames) else {
            self.is_dry.set(true);
            return None;
        };
        let connection = FIRST_OF_IPC + number;
        Some(if is_foreign {
            Origin::Foreign(Foreign::Connection(connection))
        } else {
            Origin::Connection(connection)
        })
    }
}

impl Tcp {
    fn receive(&mut self, frames: &mut Vec<Bytes>) -> Option<Origin> {
        if self.is_dry.get() {
            return None;
        }
        let origin = self.inner.receive(frames);
        self.is_dry.set(origin.is_none());
        Some(match origin? {
            libzmq::Origin::Connection(connection) => Origin::Connection(connection.into()),
            libzmq::Origin::Foreign(id) => Origin::Foreign(Foreign::RoutingId(id)),
        })
    }
}
