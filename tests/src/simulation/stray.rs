//! Messages that nobody sent: well-formed, over connections that exist, and out of place.

use powerhose::master::Peer;
use powerhose::wire::{
    CancelReason, DisconnectReason, FromWorker, JobKey, Register, Registered, RejectReason,
    Rejection, ResultCode, ToWorker,
};
use powerhose::worker::session::State;
use rand::RngExt;

use super::faults::Fault;
use super::scenario::pick;
use super::world::World;

impl World {
    /// Puts a stray message on a connection, if there is one.
    pub(super) fn stray(&mut self) -> bool {
        let Some(number) = self.any_connection() else {
            return false;
        };
        if self.flooded_until > self.now || self.random.random() {
            self.stray_up(number);
        } else {
            self.stray_down(number);
        }
        true
    }

    /// A stray message for a worker that has just come into an unusual state.
    pub(super) fn haunt_worker(&mut self, place: u8) {
        let connection = self.process(place).connection;
        if let Some(number) = connection
            && self.haunts()
            && self.network.get(number).worker_end
        {
            self.tally.count(Fault::Stray);
            self.stray_down(number);
        }
    }

    /// A stray message of a worker that the master has just found to be in an unusual state.
    pub(super) fn haunt_master(&mut self, peer: Peer) {
        let connection = self.network.by_peer(peer, self.throne.reign);
        if let Some(number) = connection
            && self.haunts()
            && self.network.get(number).worker_end
        {
            self.tally.count(Fault::Stray);
            self.stray_up(number);
        }
    }

    /// A job for a worker that has just asked to be registered. The answer comes after it over the same connection, so it is
    /// certain not to be started.
    pub(super) fn haunt_registration(&mut self, place: u8, number: u32) {
        if self.haunts() && self.process(place).state() == State::Registering {
            self.tally.count(Fault::Stray);
            let job = ToWorker::Job {
                session: self.process(place).held_session(),
                key: self.stray_key(place),
                service: 0,
                budget_ms: 1000,
                body: powerhose::Bytes::new(),
                metadata: None,
            };
            // As if it came for the second time, so that it does not come again, after the answer.
            self.push_down(number, Ok(job), true);
        }
    }

    fn haunts(&mut self) -> bool {
        self.mended.is_none() && self.scenario.faults.contains(&Fault::Stray) && self.one_in(2)
    }

    fn stray_up(&mut self, number: u32) {
        let connection = self.network.get(number);
        let (place, peer) = (connection.process, connection.peer);
        let own_socket = connection.is_own_socket();
        let flooded = self.flooded_until > self.now && !own_socket;
        let session = self.shadows.holder(peer).map_or(0, |shadow| shadow.session);
        let message = self.stray_from_worker(place, session, flooded, own_socket);
        self.process(place).tainted = true;
        self.push_up(number, Ok(message), false);
    }

    fn stray_down(&mut self, number: u32) {
        let place = self.network.get(number).process;
        let process = self.process(place);
        process.tainted = true;
        let session = process.held_session();
        let message = self.stray_to_worker(place, session);
        self.push_down(number, Ok(message), false);
    }

    fn stray_from_worker(
        &mut self,
        place: u8,
        session: u64,
        flooded: bool,
        own_socket: bool,
    ) -> FromWorker {
        let known = session;
        let session = match self.number(0, 5) {
            0 => self.random.random(),
            1 => 0,
            _ => session,
        };
        if flooded {
            // There is room for what the worker offered before, at most, so this cannot be granted.
            let names = (0..6).map(|number| format!("one-too-many-{number}"));
            let register = Register {
                services: names.collect(),
                ..self.register_of(place)
            };
            return FromWorker::Register { session, register };
        }
        let least = if own_socket { 2 } else { 0 };
        match self.number(least, 5) {
            0 => {
                let register = self.register_of(place);
                FromWorker::Register { session, register }
            }
            1 => {
                let register = Register {
                    slots: 7,
                    ..self.register_of(place)
                };
                FromWorker::Register { session, register }
            }
            2 => FromWorker::Heartbeat { session },
            3 => FromWorker::Result {
                session,
                key: self.stray_key(place),
                code: pick(&mut self.random, ResultCode::ALL),
                elapsed_us: 5,
                body: powerhose::Bytes::new(),
            },
            4 => FromWorker::Drain { session: known },
            _ => FromWorker::Disconnect {
                session,
                reason: DisconnectReason::Shutdown,
            },
        }
    }

    /// An attempt that the worker was not sent.
    fn stray_key(&mut self, place: u8) -> JobKey {
        let handlers = self.process(place).handlers.first();
        let job = handlers.map_or(1 << 40, |handler| handler.key.job);
        JobKey { job, attempt: 255 }
    }

    fn stray_to_worker(&mut self, place: u8, held: u64) -> ToWorker {
        let session = if self.one_in(6) {
            self.random.random_range(1..=u64::MAX)
        } else {
            held
        };
        let key = match self.process(place).handlers.first() {
            Some(handler) => handler.key,
            None => self.stray_key(place),
        };
        match self.number(0, 6) {
            0 => ToWorker::Registered {
                session: session.max(1),
                terms: Registered {
                    heartbeat_ms: 200,
                    misses: 3,
                    max_body: 256,
                    implementation: String::new(),
                },
            },
            1 | 2 => ToWorker::Rejected {
                session: if self.one_in(3) { 0 } else { session },
                reason: pick(&mut self.random, RejectReason::ALL),
                rejection: Rejection {
                    message: String::new(),
                    versions: vec![1],
                },
            },
            3 => ToWorker::Heartbeat { session },
            4 => ToWorker::Cancel {
                session,
                key,
                reason: pick(&mut self.random, CancelReason::ALL),
            },
            5 => ToWorker::Drain { session },
            _ => ToWorker::Disconnect {
                session,
                reason: DisconnectReason::Overflow,
            },
        }
    }
}
