//! A worker without the library: a DEALER and the codec, so that it can misbehave.

use std::error::Error;
use std::time::{Duration, Instant};

use bytes::Bytes;
use powerhose::wire::limits::DEFAULT_MAX_BODY;
use powerhose::wire::{FromWorker, JobKey, Register, RejectReason, ToWorker};

use super::super::ground::Ground;
use super::super::journal::{Execution, Journal};
use super::super::payload::Order;
use super::REJOIN_AFTER;

/// How long the master may be silent before another connection is opened, and how often it hears from us.
const PATIENCE: Duration = Duration::from_secs(1);
const PING: Duration = Duration::from_millis(200);

/// An attempt that the worker was given.
#[derive(Debug)]
pub(super) struct Given {
    pub(super) session: u64,
    pub(super) key: JobKey,
    pub(super) payload: Bytes,
}

/// The frames of a message.
pub(super) type Frames = Vec<Bytes>;

/// What a worker says to a job, and whether that includes an answer.
pub(super) struct Reaction {
    pub(super) messages: Vec<Frames>,
    pub(super) answers: bool,
}

/// The frames of a message that is one.
pub(super) fn frames(message: FromWorker) -> Frames {
    let mut first = Vec::new();
    let rest = message.encode(&mut first);
    [Some(Bytes::from(first)), rest.body, rest.metadata]
        .into_iter()
        .flatten()
        .collect()
}

/// One connection to a master and what goes on there.
struct Connection {
    socket: zmq::Socket,
    session: Option<u64>,
    heard: Instant,
    pinged: Instant,
    /// Since when an answer is owed.
    owes_since: Option<Instant>,
}

/// Serves one master after the other, until the process is ended from outside.
pub(super) fn run(
    ground: &Ground,
    journal: &Journal,
    react: impl Fn(&Given) -> Reaction,
) -> Result<u8, Box<dyn Error>> {
    let context = zmq::Context::new();
    loop {
        let mut connection = Connection::open(&context, &ground.endpoint())?;
        while connection.is_worthwhile() {
            connection.ping()?;
            let Some(message) = connection.receive()? else {
                continue;
            };
            match message {
                ToWorker::Registered { session, .. } => connection.session = Some(session),
                ToWorker::Job {
                    session, key, body, ..
                } => {
                    let given = Given {
                        session,
                        key,
                        payload: body,
                    };
                    connection.work(&given, journal, &react)?;
                }
                ToWorker::Disconnect { .. }
                | ToWorker::Rejected {
                    reason: RejectReason::Draining,
                    ..
                } => break,
                ToWorker::Rejected {
                    reason: RejectReason::UnknownSession,
                    session,
                    ..
                } if connection.session == Some(session) => break,
                ToWorker::Rejected { .. }
                | ToWorker::Heartbeat { .. }
                | ToWorker::Cancel { .. }
                | ToWorker::Drain { .. } => {}
            }
        }
    }
}

impl Connection {
    fn open(context: &zmq::Context, endpoint: &str) -> zmq::Result<Self> {
        let socket = context.socket(zmq::DEALER)?;
        socket.set_linger(0)?;
        socket.set_reconnect_ivl(20)?;
        socket.connect(endpoint)?;
        let now = Instant::now();
        let connection = Self {
            socket,
            session: None,
            heard: now,
            pinged: now,
            owes_since: None,
        };
        connection.send(&frames(FromWorker::Register {
            session: 0,
            register: Register {
                services: vec![String::new()],
                slots: 1,
                pid: std::process::id(),
                host: String::new(),
                implementation: "chaos/1".into(),
                socket: None,
                running: Vec::new(),
            },
        }))?;
        Ok(connection)
    }

    /// Whether the master is there and would give us more work.
    fn is_worthwhile(&self) -> bool {
        let is_set_aside = self
            .owes_since
            .is_some_and(|since| since.elapsed() > REJOIN_AFTER);
        self.heard.elapsed() < PATIENCE && !is_set_aside
    }

    fn ping(&mut self) -> zmq::Result<()> {
        if let Some(session) = self.session
            && self.pinged.elapsed() >= PING
        {
            self.pinged = Instant::now();
            self.send(&frames(FromWorker::Heartbeat { session }))?;
        }
        Ok(())
    }

    fn work(
        &mut self,
        given: &Given,
        journal: &Journal,
        react: impl Fn(&Given) -> Reaction,
    ) -> Result<(), Box<dyn Error>> {
        if let Some(order) = Order::read(&given.payload) {
            journal.write(&Execution {
                name: order.name,
                attempt: given.key.attempt,
            })?;
        }
        let reaction = react(given);
        for message in reaction.messages {
            self.send(&message)?;
        }
        if !reaction.answers {
            self.owes_since.get_or_insert_with(Instant::now);
        }
        Ok(())
    }

    /// What the master says, if it says anything soon.
    fn receive(&mut self) -> Result<Option<ToWorker>, Box<dyn Error>> {
        let wait = i64::try_from(PING.as_millis() / 2)?;
        if self.socket.poll(zmq::POLLIN, wait)? == 0 {
            return Ok(None);
        }
        self.heard = Instant::now();
        let frames = self.socket.recv_multipart(0)?;
        let mut frames: Frames = frames.into_iter().map(Bytes::from).collect();
        Ok(Some(ToWorker::decode(&mut frames, DEFAULT_MAX_BODY)?))
    }

    fn send(&self, message: &[Bytes]) -> zmq::Result<()> {
        let frames = message.iter().map(|frame| &frame[..]);
        match self.socket.send_multipart(frames, zmq::DONTWAIT) {
            // The master is gone, which the next look at the clock will tell.
            Err(zmq::Error::EAGAIN) => Ok(()),
            sent => sent,
        }
    }
}
