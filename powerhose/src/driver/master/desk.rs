//! The socket for operators, where they have one of their own: it answers STATUS and nothing else.

use bytes::Bytes;

use crate::driver::frames::Parcel;
use crate::driver::monitor::News;
use crate::driver::socket::{Origin, Router};
use crate::time::Time;
use crate::wire::{FromClient, RejectReason, Rejection, ToClient, VERSION};

pub(super) struct Desk {
    router: Router,
    parcel: Parcel,
    frames: Vec<Bytes>,
}

impl Desk {
    pub(super) fn new(router: Router) -> Self {
        Self {
            router,
            parcel: Parcel::default(),
            frames: Vec::new(),
        }
    }

    /// What is to be watched while the thread sleeps.
    pub(super) fn router(&self) -> &Router {
        &self.router
    }

    /// What happened to connections since the last call.
    pub(super) fn news(&mut self) -> News {
        self.router.news()
    }

    /// Sends what waits.
    pub(super) fn flush(&mut self, now: Time) {
        self.router.flush(now);
    }

    /// When something is due.
    pub(super) fn next_deadline(&self) -> Option<Time> {
        self.router.next_deadline()
    }

    /// Whether nothing is left to do but to wait for the socket.
    pub(super) fn is_idle(&self) -> bool {
        self.router.is_idle()
    }

    /// Receives up to `limit` messages, and hands the connections that want a report to `wanted`.
    pub(super) fn receive(&mut self, limit: usize, mut wanted: impl FnMut(u64)) {
        let mut received = 0;
        while received < limit {
            self.frames.clear();
            match self.router.receive(&mut self.frames) {
                None => break,
                Some(Origin::Connection(connection)) => {
                    match FromClient::decode(&mut self.frames) {
                        Ok(FromClient::Status) => wanted(connection),
                        Ok(_) => {
                            let message = "only STATUS is answered here";
                            self.reject(connection, RejectReason::UnknownCommand, message);
                        }
                        Err(error) => {
                            self.reject(connection, error.reject_reason(), &error.to_string());
                        }
                    }
                }
                Some(Origin::Foreign(peer)) => {
                    self.parcel.for_client(rejected(
                        RejectReason::InvalidRegistration,
                        "peers must not set ZMQ_ROUTING_ID",
                    ));
                    let _ = self.router.send_to_foreign(&peer, &mut self.parcel);
                }
            }
            received += 1;
        }
    }

    fn reject(&mut self, connection: u64, reason: RejectReason, message: &str) {
        self.send(connection, rejected(reason, message));
    }

    /// Sends a message, unless the operator is gone or does not read: then it asks again, if it still wants to know.
    pub(super) fn send(&mut self, connection: u64, message: ToClient) {
        self.parcel.for_client(message);
        let _ = self.router.send(connection, &mut self.parcel);
    }
}

fn rejected(reason: RejectReason, message: &str) -> ToClient {
    ToClient::Rejected {
        session: 0,
        reason,
        rejection: Rejection {
            message: message.to_owned(),
            versions: vec![VERSION],
        },
    }
}
