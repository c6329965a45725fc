//! The connection to the master.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use bytes::Bytes;

use crate::driver::endpoint::Endpoint;
use crate::driver::frames::{Parcel, Sending};
use crate::driver::poll::Poll;
use crate::driver::socket::{Dealer, Options};
use crate::security::CurveClient;
use crate::time::Time;
use crate::wire::FromWorker;

/// The settings of a worker's sockets. The master, which set the limits, is trusted to keep them, and its own ZMTP heartbeats find
/// dead connections.
pub(super) const OPTIONS: Options = Options {
    max_frame: u64::MAX,
    linger: Duration::ZERO,
    heartbeat: None,
};

/// A DEALER that is replaced whenever the session wants a new connection, and the messages that found no room in it.
pub(super) struct Control {
    context: zmq::Context,
    endpoint: Endpoint,
    curve: Option<CurveClient>,
    dealer: Option<Dealer>,
    outbox: VecDeque<FromWorker>,
    /// The message that is being sent.
    parcel: Parcel,
    /// Whether that message found no room.
    stuck: bool,
}

impl Control {
    pub(super) fn new(
        context: zmq::Context,
        endpoint: Endpoint,
        curve: Option<CurveClient>,
    ) -> Self {
        Self {
            context,
            endpoint,
            curve,
            dealer: None,
            outbox: VecDeque::new(),
            parcel: Parcel::default(),
            stuck: false,
        }
    }

    pub(super) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Opens a new connection. The old one goes, with everything that is in it: it was meant for a master that may be gone.
    ///
    /// # Errors
    /// When descriptors have run out.
    pub(super) fn open(&mut self) -> io::Result<()> {
        self.outbox.clear();
        self.stuck = false;
        self.dealer = None;
        let dealer = Dealer::connect(&self.context, &self.endpoint, &OPTIONS, self.curve.as_ref());
        self.dealer = Some(dealer?);
        Ok(())
    }

    /// Receives a message, if there is one. While a message waits for room none is taken in: what it would lead to had to wait, too.
    pub(super) fn receive(&mut self, frames: &mut Vec<Bytes>) -> bool {
        match &mut self.dealer {
            Some(dealer) if !self.stuck => dealer.receive(frames),
            _ => false,
        }
    }

    /// Sends a message, as soon as there is room.
    pub(super) fn send(&mut self, message: FromWorker) {
        self.outbox.push_back(message);
        self.flush();
    }

    /// Sends what there is room for.
    pub(super) fn flush(&mut self) {
        let Some(dealer) = &mut self.dealer else {
            return;
        };
        loop {
            if !self.stuck {
                let Some(message) = self.outbox.pop_front() else {
                    return;
                };
                self.parcel.for_master(message);
            }
            self.stuck = dealer.send(&mut self.parcel) == Sending::WouldBlock;
            if self.stuck {
                return;
            }
        }
    }

    /// Whether messages wait for room.
    pub(super) fn is_stuck(&self) -> bool {
        self.stuck
    }

    /// Lets what was sent last get out after the socket is closed, for as long.
    pub(super) fn set_linger(&mut self, linger: Duration) {
        if let Some(dealer) = &mut self.dealer {
            dealer.set_linger(linger);
        }
    }

    /// Writes what was sent, as far as the master takes it, and connects if it is time.
    pub(super) fn write(&mut self, now: Time) {
        if let Some(dealer) = &mut self.dealer {
            dealer.flush(now);
        }
    }

    /// When [`write`](Self::write) has something to do that no descriptor tells of.
    pub(super) fn next_deadline(&self) -> Option<Time> {
        self.dealer.as_ref().and_then(Dealer::next_deadline)
    }

    /// Has a poll look for what there is to do: input, or only room while a message waits for it.
    pub(super) fn watch<'fd>(&'fd self, poll: &mut Poll<'fd>) {
        match &self.dealer {
            Some(dealer) if self.stuck => dealer.watch_for_room(poll),
            Some(dealer) => {
                dealer.watch(poll);
            }
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::clock::Clock;
    use crate::driver::endpoint::Reach;
    use crate::driver::poll::wait;
    use crate::driver::socket::{Origin, Router};
    use crate::wire::ToWorker;

    #[test]
    fn a_message_that_waits_for_room_is_not_woken_for_input_that_waits_too() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = format!("ipc://{}/m", directory.path().display());
        let endpoint = Endpoint::to_bind(&path, Reach::Loopback).expect("an endpoint");
        let context = zmq::Context::new();
        let clock = Clock::new();
        let mut master = Router::new(&context, &OPTIONS, "master");
        master.bind(&endpoint).expect("it is free");
        let mut control = Control::new(context, endpoint, None);
        control.open().expect("a socket");
        let heartbeat = || FromWorker::Heartbeat { session: 1 };
        control.send(heartbeat());
        let connection = loop {
            master.look_again();
            if let Some(Origin::Connection(connection)) = master.receive(&mut Vec::new()) {
                break connection;
            }
            assert!(!control.receive(&mut Vec::new()));
            control.write(clock.now());
        };
        let mut parcel = Parcel::default();
        parcel.for_worker(ToWorker::Heartbeat { session: 1 });
        master.send(connection, &mut parcel);
        master.flush(clock.now());
        while !control.is_stuck() {
            control.send(heartbeat());
        }
        let mut poll = Poll::default();
        control.watch(&mut poll);
        assert_eq!(wait(&mut poll, Some(Duration::ZERO)).ok(), Some(()));
        assert!(
            !poll.is_ready(0),
            "it would not be received, only asked for again"
        );
    }
}
