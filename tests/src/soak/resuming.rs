//! A client without the library, whose connection breaks again and again while jobs are under way.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use powerhose::wire::{DisconnectReason, FromClient, Open, Reply, ServiceName, Submit, ToClient};
use rand::RngExt;

use super::clients::{Counting, payload};
use crate::chaos::payload::checksum;

/// How often the connection of a session breaks before the session ends, and the jobs handed in over each.
const BREAKS: u64 = 5;
const JOBS: u64 = 20;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(30);

const REST: Duration = Duration::from_millis(50);

const BUDGET_MS: u32 = 60_000;

/// A session and what its client knows.
struct Session {
    socket: zmq::Socket,
    id: u64,
    /// The jobs that have had no reply.
    open: BTreeMap<u64, Bytes>,
    submitted: u64,
    received: u64,
}

/// One session after the other until it is over.
pub(super) fn run(endpoint: &str, over: &AtomicBool, counting: &Counting) -> io::Result<()> {
    let context = zmq::Context::new();
    while !over.load(Ordering::Relaxed) {
        let mut session = Session::begin(&context, endpoint)?;
        for _ in 0..BREAKS {
            session.submit(counting)?;
            let some = rand::rng().random_range(0..JOBS as usize);
            while session.open.len() > some {
                session.receive(counting)?;
            }
            if !session.resume(&context, endpoint, counting)? {
                break;
            }
        }
        while !session.open.is_empty() {
            session.receive(counting)?;
        }
        session.end()?;
        std::thread::sleep(REST);
    }
    Ok(())
}

fn connect(context: &zmq::Context, endpoint: &str) -> io::Result<zmq::Socket> {
    let socket = context.socket(zmq::DEALER)?;
    socket.set_linger(0)?;
    socket.set_sndhwm(0)?;
    socket.connect(endpoint)?;
    Ok(socket)
}

fn open(session: u64, received: u64) -> FromClient {
    let open = Open {
        pid: std::process::id(),
        received,
        ..Open::default()
    };
    FromClient::Open { session, open }
}

impl Session {
    fn begin(context: &zmq::Context, endpoint: &str) -> io::Result<Self> {
        let mut session = Self {
            socket: connect(context, endpoint)?,
            id: 0,
            open: BTreeMap::new(),
            submitted: 0,
            received: 0,
        };
        session.send(open(0, 0))?;
        match session.hear()? {
            ToClient::Opened { session: id, .. } => session.id = id,
            other => return Err(unexpected(&other)),
        }
        Ok(session)
    }

    fn submit(&mut self, counting: &Counting) -> io::Result<()> {
        for _ in 0..JOBS {
            self.submitted += 1;
            counting.count(|tally| tally.begun += 1);
            let body = payload();
            self.open.insert(self.submitted, body.clone());
            self.send_job(self.submitted, body)?;
        }
        Ok(())
    }

    fn send_job(&self, sequence: u64, body: Bytes) -> io::Result<()> {
        let submit = Submit {
            sequence,
            budget_ms: BUDGET_MS,
            attempts: 3,
            at_most_once: false,
            attempt_timeout_ms: None,
            service: ServiceName::default(),
            body,
            metadata: None,
        };
        let session = self.id;
        self.send(FromClient::Submit { session, submit })
    }

    fn receive(&mut self, counting: &Counting) -> io::Result<()> {
        match self.hear()? {
            ToClient::Reply { session, reply } if session == self.id => {
                self.received += 1;
                self.note(reply, counting);
                Ok(())
            }
            ToClient::Heartbeat { .. } => Ok(()),
            other => Err(unexpected(&other)),
        }
    }

    fn note(&mut self, reply: Reply, counting: &Counting) {
        let body = self.open.remove(&reply.sequence);
        let outcome = reply.into_outcome("");
        counting.count(|tally| match (body, outcome) {
            (Some(body), Ok(result)) if result == checksum(&body) => tally.ok += 1,
            (Some(_), Err(error)) => {
                *tally.failed.entry(error.code().to_owned()).or_default() += 1;
            }
            _ => tally.wrong += 1,
        });
    }

    /// Breaks the connection and goes on over another one. Returns whether the master let it.
    fn resume(
        &mut self,
        context: &zmq::Context,
        endpoint: &str,
        counting: &Counting,
    ) -> io::Result<bool> {
        self.socket = connect(context, endpoint)?;
        self.send(open(self.id, self.received))?;
        match self.hear()? {
            ToClient::Opened { session, terms } if session == self.id => {
                counting.count(|tally| tally.resumed += 1);
                let missing: Vec<_> = (self.open.range(terms.submitted + 1..))
                    .map(|(sequence, body)| (*sequence, body.clone()))
                    .collect();
                for (sequence, body) in missing {
                    self.send_job(sequence, body)?;
                }
                Ok(true)
            }
            ToClient::Opened { session, .. } => {
                let open = std::mem::take(&mut self.open);
                counting.count(|tally| {
                    tally.lost_sessions += 1;
                    tally.given_up += open.len() as u64;
                });
                self.id = session;
                Ok(false)
            }
            other => Err(unexpected(&other)),
        }
    }

    fn end(self) -> io::Result<()> {
        let (session, reason) = (self.id, DisconnectReason::Shutdown);
        self.socket.set_linger(1000)?;
        self.send(FromClient::Disconnect { session, reason })
    }

    fn send(&self, message: FromClient) -> io::Result<()> {
        let mut first = Vec::new();
        let rest = message.encode(&mut first);
        let frames = [Some(Bytes::from(first)), rest.body, rest.metadata];
        let frames = frames.iter().flatten().map(|frame| &frame[..]);
        Ok(self.socket.send_multipart(frames, 0)?)
    }

    fn hear(&self) -> io::Result<ToClient> {
        let until = Instant::now() + PATIENCE;
        let wait = i64::try_from(PATIENCE.as_millis()).unwrap_or(i64::MAX);
        while self.socket.poll(zmq::POLLIN, wait)? == 0 {
            if Instant::now() >= until {
                return Err(io::Error::other("the master is silent"));
            }
        }
        let frames = self.socket.recv_multipart(0)?;
        let mut frames: Vec<Bytes> = frames.into_iter().map(Bytes::from).collect();
        ToClient::decode(&mut frames).map_err(io::Error::other)
    }
}

fn unexpected(message: &ToClient) -> io::Error {
    io::Error::other(format!("unexpected: {message:?}"))
}
