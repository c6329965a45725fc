//! What libzmq tells of a socket's connections.

use std::os::fd::BorrowedFd;

use super::frames;

/// What a monitor has told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct News {
    /// Whether connections closed, or could not be made.
    pub(crate) disconnected: bool,
    /// How many peers were refused, or refused us, when they connected, before their key was looked at or for want of anybody to look
    /// at it.
    pub(crate) refused: u64,
    /// How many were refused because their key is not on the list.
    pub(crate) not_listed: u64,
    /// How many connected over ipc and spoke another protocol, or were no socket that goes with this one.
    pub(crate) strangers: u64,
}

impl News {
    /// Adds what was told elsewhere.
    pub(crate) fn add(&mut self, other: Self) {
        self.disconnected |= other.disconnected;
        self.refused += other.refused;
        self.not_listed += other.not_listed;
        self.strangers += other.strangers;
    }
}

/// Has a socket tell of these events. `name` is unique in the context.
///
/// # Errors
/// When descriptors have run out.
pub(super) fn watch(
    socket: &zmq::Socket,
    context: &zmq::Context,
    name: &str,
    events: &[zmq::SocketEvent],
) -> zmq::Result<Monitor> {
    let endpoint = format!("inproc://{name}");
    let events = (events.iter()).fold(0, |all, event| all | i32::from(event.to_raw()));
    socket.monitor(&endpoint, events)?;
    let inner = context.socket(zmq::PAIR)?;
    // libzmq's I/O thread would block on a full pipe. What collects in it between two turns of the loop is a few bytes for each
    // connection that closed.
    inner.set_rcvhwm(0)?;
    inner.connect(&endpoint)?;
    let mut monitor = Monitor {
        inner,
        frame: zmq::Message::new(),
    };
    // The descriptor stays silent until the socket has once been asked in vain.
    monitor.take();
    Ok(monitor)
}

/// Tells that connections closed, not whose. To be dropped after the socket that it watches: libzmq's I/O thread waits forever for
/// somebody to take an event when there is nobody.
pub(crate) struct Monitor {
    inner: zmq::Socket,
    frame: zmq::Message,
}

impl Monitor {
    /// What happened since the last call.
    pub(crate) fn take(&mut self) -> News {
        let mut news = News::default();
        while frames::receive(&self.inner, &mut self.frame).is_some() {
            // An event is its number and a value; an address follows in a frame of its own.
            if let (true, [low, high, _, _, _, _]) = (self.frame.get_more(), &*self.frame) {
                let event = u16::from_ne_bytes([*low, *high]);
                let broken = [
                    zmq::SocketEvent::DISCONNECTED,
                    zmq::SocketEvent::CONNECT_RETRIED,
                ];
                if broken.iter().any(|kind| kind.to_raw() == event) {
                    news.disconnected = true;
                } else if zmq::SocketEvent::HANDSHAKE_FAILED_AUTH.to_raw() == event {
                    news.not_listed += 1;
                } else {
                    news.refused += 1;
                }
            }
        }
        news
    }

    /// The descriptor to poll for input.
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        frames::fd(&self.inner)
    }
}
