//! Bytes turned into input for the decoders and the cores.
//!
//! The fuzz targets in `tests/fuzz` and the property tests in `tests/tests/fuzzing.rs` call the same functions: what a fuzzer
//! finds becomes a case of the property test.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use powerhose::master::{Action, Config, Event, Master, NewJob, Peer, Ticket};
use powerhose::wire::{FromClient, FromWorker, Register, ResultCode, ToClient, ToWorker};
use powerhose::worker::session::{Input, Output, Session, SessionConfig};
use powerhose::{Bytes, Time};

use crate::frames::written;

/// No body may be larger.
const MAX_BODY: usize = 4096;

/// Whatever a worker may send is either refused or means the same when written and read again.
///
/// # Panics
/// If it does not.
pub fn from_worker(data: &[u8]) {
    let Ok(message) = FromWorker::decode(&mut frames(data), MAX_BODY) else {
        return;
    };
    let mut again = written(|first| message.clone().encode(first));
    assert_eq!(FromWorker::decode(&mut again, MAX_BODY), Ok(message));
}

/// Whatever a master may send is either refused or means the same when written and read again.
///
/// # Panics
/// If it does not.
pub fn to_worker(data: &[u8]) {
    let Ok(message) = ToWorker::decode(&mut frames(data), MAX_BODY) else {
        return;
    };
    let mut again = written(|first| message.clone().encode(first));
    assert_eq!(ToWorker::decode(&mut again, MAX_BODY), Ok(message));
}

/// Whatever a client may send is either refused or means the same when written and read again.
///
/// # Panics
/// If it does not.
pub fn from_client(data: &[u8]) {
    let Ok(message) = FromClient::decode(&mut frames(data)) else {
        return;
    };
    let mut again = written(|first| message.clone().encode(first));
    assert_eq!(FromClient::decode(&mut again), Ok(message));
}

/// Whatever a master may send to a client is either refused or means the same when written and read again.
///
/// # Panics
/// If it does not.
pub fn to_client(data: &[u8]) {
    let Ok(message) = ToClient::decode(&mut frames(data)) else {
        return;
    };
    let mut again = written(|first| message.clone().encode(first));
    assert_eq!(ToClient::decode(&mut again), Ok(message));
}

/// Whatever happens to a master, each job has one outcome, and once it stops all have had theirs.
///
/// # Panics
/// If that does not hold.
pub fn master(data: &[u8]) {
    let config = Config {
        max_queue_jobs: 8,
        max_workers: 4,
        max_body: MAX_BODY,
        ..Config::default()
    };
    let mut world = MasterWorld {
        master: Master::new(config, 1),
        now: Time::ZERO,
        open: HashSet::new(),
        tickets: 0,
        sessions: vec![0, 1],
        attempts: Vec::new(),
    };
    let mut bytes = data.iter().copied();
    while let Some(step) = bytes.next() {
        world.step(step, || bytes.next().unwrap_or(0));
    }
    world.handle(Event::Stop);
    assert!(
        world.open.is_empty(),
        "stopped with {} jobs left",
        world.open.len()
    );
}

struct MasterWorld {
    master: Master,
    now: Time,
    open: HashSet<Ticket>,
    tickets: u64,
    /// What workers can name: sessions that there are, were and never have been.
    sessions: Vec<u64>,
    attempts: Vec<(u64, powerhose::wire::JobKey)>,
}

impl MasterWorld {
    fn step(&mut self, step: u8, mut next: impl FnMut() -> u8) {
        let session = self.sessions[usize::from(next()) % self.sessions.len()];
        let peer = Peer::Backend(u64::from(next() % 8));
        let services = ["", "a", "b"];
        let message = |message| Event::Message { peer, message };
        let event = match step % 14 {
            0..=2 => {
                self.tickets += 1;
                let ticket = Ticket(self.tickets);
                self.open.insert(ticket);
                let options = next();
                Event::Submit {
                    ticket,
                    job: NewJob {
                        service: Arc::from(services[usize::from(options % 3)]),
                        body: Bytes::from_static(b"payload"),
                        metadata: None,
                        deadline: self.now + Duration::from_millis(u64::from(next()) * 40),
                        attempt_timeout: (options & 4 != 0).then_some(Duration::from_millis(300)),
                        attempts: options >> 5,
                        at_most_once: options & 8 != 0,
                        client: 0,
                    },
                }
            }
            3 => {
                let ticket = Ticket(self.tickets.saturating_sub(u64::from(next() % 16)));
                self.open.remove(&ticket);
                Event::Cancel { ticket }
            }
            4 | 5 => {
                let (slots, which) = (u16::from(next() % 3) + 1, next());
                let register = Register {
                    services: services[..usize::from(which % 3) + 1]
                        .iter()
                        .map(ToString::to_string)
                        .collect(),
                    slots,
                    pid: 1,
                    host: String::new(),
                    implementation: String::new(),
                    socket: (which & 8 != 0).then(|| "/tmp/worker".to_owned()),
                    running: Vec::new(),
                };
                message(FromWorker::Register { session, register })
            }
            6 => message(FromWorker::Heartbeat { session }),
            7 | 8 => {
                let Some(&(session, key)) = self
                    .attempts
                    .get(usize::from(next()) % self.attempts.len().max(1))
                else {
                    return;
                };
                let code = ResultCode::ALL[usize::from(next()) % ResultCode::ALL.len()];
                let elapsed_us = u32::from(next());
                message(FromWorker::Result {
                    session,
                    key,
                    code,
                    elapsed_us,
                    body: Bytes::new(),
                })
            }
            9 => message(FromWorker::Drain { session }),
            10 => message(FromWorker::Disconnect {
                session,
                reason: powerhose::wire::DisconnectReason::Drained,
            }),
            11 => Event::Unreachable { peer },
            12 => Event::Disconnection,
            _ => {
                self.now = self.now + Duration::from_millis(u64::from(next()) * 4);
                Event::Tick
            }
        };
        self.handle(event);
    }

    fn handle(&mut self, event: Event) {
        self.master.handle(event, self.now);
        while let Some(action) = self.master.poll_action() {
            match action {
                Action::Complete { ticket, .. } => {
                    assert!(self.open.remove(&ticket), "a second outcome of {ticket:?}");
                }
                Action::Send {
                    message: ToWorker::Registered { session, .. },
                    ..
                } => self.sessions.push(session),
                Action::Send {
                    message: ToWorker::Job { session, key, .. },
                    ..
                } => {
                    self.attempts.push((session, key));
                }
                Action::Send { .. }
                | Action::Connect { .. }
                | Action::Close { .. }
                | Action::Drained => {}
            }
        }
        if let Err(broken) = self.master.check_invariants() {
            panic!("{broken}");
        }
    }
}

/// Whatever happens to a worker, no more jobs are started than it has slots, and nothing comes after its exit.
///
/// # Panics
/// If that does not hold.
pub fn session(data: &[u8]) {
    const SLOTS: u16 = 2;
    let register = Register {
        services: vec![String::new()],
        slots: SLOTS,
        pid: 1,
        host: String::new(),
        implementation: String::new(),
        socket: None,
        running: Vec::new(),
    };
    let mut now = Time::ZERO;
    let mut session = Session::new(SessionConfig::new(register), 1, now);
    let mut busy = HashSet::new();
    let mut exited = false;
    let mut data = data;
    while let [step, rest @ ..] = data {
        let length = rest
            .first()
            .map_or(0, |length| usize::from(*length))
            .min(rest.len());
        let (argument, rest) = rest.split_at(length);
        data = rest;
        let input = match step % 6 {
            0 | 1 => match ToWorker::decode(&mut frames(argument), MAX_BODY) {
                Ok(message) => Input::Message(message),
                Err(error) => Input::Malformed(error),
            },
            2 => {
                let slot = u16::from(step / 6 % 2);
                if !busy.remove(&slot) {
                    continue;
                }
                Input::Finished {
                    slot,
                    code: ResultCode::Ok,
                    elapsed: Duration::ZERO,
                    body: Bytes::new(),
                }
            }
            3 if *step > 200 => Input::Drain,
            _ => {
                now = now + Duration::from_millis(u64::from(*step) * 8);
                Input::Tick
            }
        };
        session.handle(input, now);
        while let Some(output) = session.poll_output() {
            assert!(!exited, "{output:?} after the exit");
            match output {
                Output::Start { slot, .. } => {
                    assert!(slot < SLOTS && busy.insert(slot), "slot {slot} is not free");
                }
                Output::Exit(_) => exited = true,
                _ => {}
            }
        }
    }
}

/// Cuts bytes into frames: each begins with two bytes for its length.
fn frames(mut data: &[u8]) -> Vec<Bytes> {
    let mut frames = Vec::new();
    while let [high, low, rest @ ..] = data {
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(rest.len());
        let (frame, rest) = rest.split_at(length);
        frames.push(Bytes::copy_from_slice(frame));
        data = rest;
    }
    frames
}
