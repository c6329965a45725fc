//! The socket for operators, where they have one of their own: it answers STATUS and nothing else.

use bytes::Bytes;

use super::sockets::Side;
use crate::driver::frames::Parcel;
use crate::driver::monitor::Monitor;
use crate::driver::socket::{Origin, Router};
use crate::wire::{FromClient, RejectReason, Rejection, ToClient, VERSION};

pub(super) struct Desk {
    router: Router,
    monitor: Monitor,
    /// The socket has answered that there is nothing to receive, and has not been touched since.
    is_dry: bool,
    parcel: Parcel,
    frames: Vec<Bytes>,
}

impl Desk {
    pub(super) fn new((router, monitor): (Router, Monitor)) -> Self {
        Self {
            router,
            monitor,
            is_dry: false,
            parcel: Parcel::default(),
            frames: Vec::new(),
        }
    }

    /// What is to be watched while the thread sleeps.
    pub(super) fn side(&mut self) -> Side<'_> {
        Side::new(&self.router, &mut self.monitor, &mut self.is_dry)
    }

    /// Whether nothing is left to do but to wait for the socket.
    pub(super) fn is_idle(&self) -> bool {
        self.is_dry
    }

    /// Receives up to `limit` messages, and hands the connections that want a report to `wanted`.
    pub(super) fn receive(&mut self, limit: usize, mut wanted: impl FnMut(u32)) {
        let mut received = 0;
        while !self.is_dry && received < limit {
            self.frames.clear();
            match self.router.receive(&mut self.frames) {
                None => self.is_dry = true,
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
                Some(Origin::Foreign(id)) => {
                    self.parcel.for_client(rejected(
                        RejectReason::InvalidRegistration,
                        "peers must not set ZMQ_ROUTING_ID",
                    ));
                    let _ = self.router.send_to_foreign(&id, &mut self.parcel);
                }
            }
            received += 1;
        }
    }

    fn reject(&mut self, connection: u32, reason: RejectReason, message: &str) {
        self.send(connection, rejected(reason, message));
    }

    /// Sends a message, unless the operator is gone or does not read: then it asks again, if it still wants to know.
    pub(super) fn send(&mut self, connection: u32, message: ToClient) {
        self.is_dry = false;
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
