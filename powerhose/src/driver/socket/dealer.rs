use std::cell::Cell;
use std::io;
use std::time::Duration;

use bytes::Bytes;

use super::{Broken, Options, Places};
use crate::driver::endpoint::Endpoint;
use crate::driver::frames::{Parcel, Sending};
use crate::driver::monitor::Monitor;
use crate::driver::poll::Poll;
use crate::driver::{libzmq, zmtp};
use crate::security::CurveClient;
use crate::time::Time;

/// A socket with one connection.
pub(crate) struct Dealer {
    inner: Inner,
    is_dry: Cell<bool>,
    has_news: Cell<bool>,
}

enum Inner {
    Ipc(zmtp::Dealer),
    /// The monitor must outlive the socket.
    Tcp(libzmq::Dealer, Option<Monitor>),
}

impl Dealer {
    /// Opens a socket that connects to `endpoint`, and keeps trying to if nobody listens there yet. To begin afresh with a master
    /// that may be another one, drop it and open a new one: messages meant for the old one could reach the new one otherwise.
    ///
    /// # Errors
    /// When descriptors have run out.
    pub(crate) fn connect(
        context: &zmq::Context,
        endpoint: &Endpoint,
        options: &Options,
        curve: Option<&CurveClient>,
    ) -> io::Result<Self> {
        let inner = match endpoint {
            // The file system decides who may connect.
            Endpoint::Ipc(path) => Inner::Ipc(zmtp::Dealer::connect(path, options)?),
            Endpoint::Tcp(_) | Endpoint::Host(..) => Inner::Tcp(
                libzmq::Dealer::connect(context, endpoint, options, curve)?,
                None,
            ),
        };
        Ok(Self {
            inner,
            is_dry: Cell::new(false),
            has_news: Cell::new(false),
        })
    }

    /// Has [`news`](Self::news) tell of connections over tcp, too. `name` is unique in the context.
    ///
    /// # Errors
    /// When descriptors have run out.
    pub(crate) fn monitor(&mut self, context: &zmq::Context, name: &str) -> io::Result<()> {
        if let Inner::Tcp(dealer, monitor) = &mut self.inner {
            *monitor = Some(dealer.monitor(context, name)?);
        }
        Ok(())
    }

    /// Receives a message, if there is one: its frames are appended to `frames`.
    #[inline]
    pub(crate) fn receive(&mut self, frames: &mut Vec<Bytes>) -> bool {
        let received = match &mut self.inner {
            Inner::Ipc(dealer) => dealer.receive(frames),
            Inner::Tcp(dealer, _) => dealer.receive(frames),
        };
        self.is_dry.set(!received);
        received
    }

    /// Whether there was nothing to receive when it was last looked for, and nothing has come to notice since.
    pub(crate) fn is_dry(&self) -> bool {
        self.is_dry.get()
    }

    /// Whether nothing is left to do but to wait.
    pub(crate) fn is_idle(&self) -> bool {
        let has_news = match &self.inner {
            Inner::Ipc(dealer) => dealer.has_news(),
            Inner::Tcp(..) => self.has_news.get(),
        };
        self.is_dry() && !has_news
    }

    /// Sends a message, with the next [`flush`](Self::flush) at the latest. While there is no connection yet, a bounded
    /// number of messages waits for it; beyond that it is [`Sending::WouldBlock`].
    #[inline]
    pub(crate) fn send(&mut self, parcel: &mut Parcel) -> Sending {
        match &mut self.inner {
            Inner::Ipc(dealer) => dealer.send(parcel),
            Inner::Tcp(dealer, _) => {
                self.is_dry.set(false);
                dealer.send(parcel)
            }
        }
    }

    /// Sends what waits, as far as the peer takes it, and connects if it is time.
    pub(crate) fn flush(&mut self, now: Time) {
        if let Inner::Ipc(dealer) = &mut self.inner {
            dealer.flush(now);
        }
    }

    /// When [`flush`](Self::flush) has something to do that no descriptor tells of.
    pub(crate) fn next_deadline(&self) -> Option<Time> {
        match &self.inner {
            Inner::Ipc(dealer) => dealer.next_deadline(),
            Inner::Tcp(..) => None,
        }
    }

    /// Has a poll look for input, for room if something waits for it, and for news.
    pub(crate) fn watch<'fd>(&'fd self, poll: &mut Poll<'fd>) -> Places {
        match &self.inner {
            Inner::Ipc(dealer) => Places {
                zmtp: dealer.interest().map(|(fd, for_room)| match for_room {
                    true => poll.add_for_both(fd),
                    false => poll.add(fd),
                }),
                ..Places::default()
            },
            Inner::Tcp(dealer, monitor) => Places {
                libzmq: Some(poll.add(dealer.fd())),
                monitor: monitor.as_ref().map(|monitor| poll.add(monitor.fd())),
                ..Places::default()
            },
        }
    }

    /// Has a poll look for room alone: for whoever cannot receive before it has sent.
    pub(crate) fn watch_for_room<'fd>(&'fd self, poll: &mut Poll<'fd>) {
        match &self.inner {
            Inner::Ipc(dealer) => {
                if let Some((fd, _)) = dealer.interest() {
                    poll.add_for_room(fd);
                }
            }
            Inner::Tcp(dealer, _) => {
                poll.add(dealer.fd());
            }
        }
    }

    /// Takes note of what the poll has found.
    pub(crate) fn note(&self, poll: &Poll<'_>, places: Places) {
        let is_ready = |place: Option<usize>| place.is_some_and(|place| poll.is_ready(place));
        if is_ready(places.zmtp) || is_ready(places.libzmq) {
            self.is_dry.set(false);
        }
        if is_ready(places.monitor) {
            self.has_news.set(true);
        }
    }

    /// Has everything looked at again, when there was no poll to tell.
    pub(crate) fn look_again(&self) {
        self.is_dry.set(false);
        self.has_news.set(true);
    }

    /// What became of connections since the last call. What came over one that has ended may still be there to receive.
    pub(crate) fn news(&mut self) -> Broken {
        match &mut self.inner {
            Inner::Ipc(dealer) => dealer.news(),
            Inner::Tcp(_, Some(monitor)) if self.has_news.take() => Broken {
                has_ended: monitor.take().disconnected,
                was_refused: false,
            },
            Inner::Tcp(..) => Broken::default(),
        }
    }

    /// Changes how long the socket, once closed, goes on delivering what was sent.
    pub(crate) fn set_linger(&mut self, linger: Duration) {
        match &mut self.inner {
            Inner::Ipc(dealer) => dealer.set_linger(linger),
            Inner::Tcp(dealer, _) => dealer.set_linger(linger),
        }
    }
}
