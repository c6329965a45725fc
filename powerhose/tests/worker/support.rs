//! A master made of a socket and the codec, and workers to go with it.

use std::cell::RefCell;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use powerhose::wire::{
    CancelReason, DisconnectReason, FromWorker, JobKey, Register, Registered, RejectReason,
    Rejection, ResultCode, ToWorker,
};
use powerhose::{Bytes, Exit, Job, JobError, Stopper, Worker, WorkerBuilder, WorkerError};
use tempfile::TempDir;

/// Long enough for a loaded machine; a test that waits this long has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) const SESSION: u64 = 0x00de_cade;
pub(crate) const MAX_BODY: u64 = 10_000;

/// The heartbeat of sessions that nobody is meant to lose.
const RARE: Duration = Duration::from_secs(5);

/// A connection, by its routing id.
pub(crate) type Peer = Vec<u8>;

/// How jobs reach a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Over the connection that it registered over.
    Connection,
    /// Over a socket of its own.
    OwnSocket,
}

pub(crate) struct Master {
    way: Way,
    /// `None` while it is stopped.
    router: Option<zmq::Socket>,
    /// The connection to the own socket of the worker that registered last, with that worker's connection.
    own: RefCell<Option<(Peer, zmq::Socket)>>,
    directory: TempDir,
}

/// Runs a test once for each way in which jobs reach a worker.
pub(crate) fn both_ways(test: impl Fn(Master)) {
    for way in [Way::Connection, Way::OwnSocket] {
        println!("jobs reach the worker by {way:?}");
        test(Master::of(way));
    }
}

impl Master {
    /// Workers take their jobs over the connection that they register over.
    pub(crate) fn new() -> Self {
        Self::of(Way::Connection)
    }

    fn of(way: Way) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let mut master = Self {
            way,
            router: None,
            own: RefCell::new(None),
            directory,
        };
        master.start();
        master
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("ipc://{}/backend", self.directory.path().display())
    }

    /// A worker of this master.
    pub(crate) fn worker(&self) -> WorkerBuilder {
        let builder = Worker::builder().connect(self.endpoint());
        match self.way {
            Way::Connection => builder,
            Way::OwnSocket => {
                builder.bind(format!("ipc://{}/own", self.directory.path().display()))
            }
        }
    }

    /// The end of this master: everything in its socket is lost.
    pub(crate) fn stop(&mut self) {
        *self.own.get_mut() = None;
        self.router = None;
    }

    /// Its successor, at the same place.
    pub(crate) fn start(&mut self) {
        // In a context of its own, whose end waits until the socket is closed.
        let router = zmq::Context::new().socket(zmq::ROUTER).expect("a socket");
        router.set_router_mandatory(true).expect("an option");
        router.set_linger(0).expect("an option");
        router.bind(&self.endpoint()).expect("a free path");
        self.router = Some(router);
    }

    fn router(&self) -> &zmq::Socket {
        self.router.as_ref().expect("it runs")
    }

    pub(crate) fn receive_frames(&self) -> (Peer, Vec<Bytes>) {
        let own = self.own.borrow();
        let mut items = vec![self.router().as_poll_item(zmq::POLLIN)];
        items.extend(own.iter().map(|(_, own)| own.as_poll_item(zmq::POLLIN)));
        let ready = zmq::poll(&mut items, PATIENCE.as_millis() as i64).expect("poll");
        assert_ne!(ready, 0, "nothing came");
        let bytes = |frames: Vec<_>| frames.into_iter().map(Bytes::from).collect();
        // What came at the own socket came before what the worker said afterwards over its connection.
        match &*own {
            Some((peer, own)) if items[1].is_readable() => {
                let frames = own.recv_multipart(0).expect("a message");
                (peer.clone(), bytes(frames))
            }
            _ => {
                let mut frames = self.router().recv_multipart(0).expect("a message");
                let peer = frames.remove(0);
                (peer, bytes(frames))
            }
        }
    }

    /// The next message that is no heartbeat.
    pub(crate) fn receive(&self) -> (Peer, FromWorker) {
        loop {
            let (peer, mut frames) = self.receive_frames();
            let message = FromWorker::decode(&mut frames, usize::MAX).expect("a valid message");
            if !matches!(message, FromWorker::Heartbeat { .. }) {
                return (peer, message);
            }
        }
    }

    /// Asserts that the next message is a REGISTER and returns the session that it names, too.
    pub(crate) fn receive_register(&self) -> (Peer, u64, Register) {
        match self.receive() {
            (peer, FromWorker::Register { session, register }) => {
                self.meet(&peer, register.socket.as_deref());
                (peer, session, register)
            }
            (_, other) => panic!("expected REGISTER, got {other:?}"),
        }
    }

    /// Asserts that the next message is a RESULT of the session.
    pub(crate) fn receive_result(&self) -> (u64, ResultCode, Bytes) {
        match self.receive_work() {
            FromWorker::Result {
                session,
                key,
                code,
                body,
                ..
            } => {
                assert_eq!(session, SESSION);
                (key.job, code, body)
            }
            other => panic!("expected RESULT, got {other:?}"),
        }
    }

    /// The last messages of a worker: how many RESULTs, and why it left.
    pub(crate) fn receive_farewell(&self) -> (usize, DisconnectReason) {
        for results in 0.. {
            match self.receive_work() {
                FromWorker::Result { .. } => {}
                FromWorker::Disconnect { reason, .. } => return (results, reason),
                other => panic!("expected RESULT or DISCONNECT, got {other:?}"),
            }
        }
        unreachable!("it disconnects or the test fails");
    }

    /// The next message that is neither a heartbeat nor DRAIN, which has no place in the order of two connections and is answered.
    fn receive_work(&self) -> FromWorker {
        loop {
            let (peer, message) = self.receive();
            match message {
                FromWorker::Drain { session } => self.send(&peer, ToWorker::Drain { session }),
                message => return message,
            }
        }
    }

    /// Connects to the own socket of a worker that registers.
    fn meet(&self, peer: &Peer, path: Option<&str>) {
        assert_eq!(path.is_some(), self.way == Way::OwnSocket);
        *self.own.borrow_mut() = path.map(|path| {
            let own = zmq::Context::new().socket(zmq::DEALER).expect("a socket");
            own.set_linger(0).expect("an option");
            own.connect(&format!("ipc://{path}")).expect("a path");
            (peer.clone(), own)
        });
    }

    pub(crate) fn send(&self, peer: &Peer, message: ToWorker) {
        let is_work = matches!(
            message,
            ToWorker::Job { .. } | ToWorker::Cancel { .. } | ToWorker::Drain { .. }
        );
        let mut frames = vec![Vec::new()];
        let rest = message.encode(&mut frames[0]);
        let rest = [rest.body, rest.metadata].into_iter().flatten();
        frames.extend(rest.map(|frame| frame.to_vec()));
        self.send_frames(peer, frames, is_work);
    }

    /// Sends frames over the worker's connection, or where its work goes.
    pub(crate) fn send_frames(&self, peer: &Peer, mut frames: Vec<Vec<u8>>, is_work: bool) {
        match &*self.own.borrow() {
            Some((_, own)) if is_work => own.send_multipart(frames, 0).expect("sent"),
            _ => {
                frames.insert(0, peer.clone());
                self.router().send_multipart(frames, 0).expect("sent");
            }
        }
    }

    /// Takes the next worker into a session.
    pub(crate) fn register(&self) -> (Peer, Register) {
        let (peer, session, register) = self.receive_register();
        assert_eq!(session, 0, "nothing to resume");
        self.issue(&peer, SESSION, RARE);
        (peer, register)
    }

    pub(crate) fn issue(&self, peer: &Peer, session: u64, heartbeat: Duration) {
        let terms = Registered {
            heartbeat_ms: heartbeat.as_millis() as u32,
            misses: 3,
            max_body: MAX_BODY,
            implementation: "by hand".into(),
        };
        self.send(peer, ToWorker::Registered { session, terms });
    }

    pub(crate) fn reject(&self, peer: &Peer, session: u64, reason: RejectReason) {
        let rejection = Rejection {
            message: "by hand".into(),
            versions: vec![1],
        };
        self.send(
            peer,
            ToWorker::Rejected {
                session,
                reason,
                rejection,
            },
        );
    }

    /// Sends a job for the first service.
    pub(crate) fn job(&self, peer: &Peer, job: u64, body: &'static str) {
        self.job_of(peer, SESSION, job, PATIENCE, Bytes::from(body));
    }

    pub(crate) fn job_of(
        &self,
        peer: &Peer,
        session: u64,
        job: u64,
        budget: Duration,
        body: Bytes,
    ) {
        let message = ToWorker::Job {
            session,
            key: key(job),
            service: 0,
            budget_ms: budget.as_millis() as u32,
            body,
            metadata: None,
        };
        self.send(peer, message);
    }

    pub(crate) fn cancel(&self, peer: &Peer, job: u64, reason: CancelReason) {
        let session = SESSION;
        self.send(
            peer,
            ToWorker::Cancel {
                session,
                key: key(job),
                reason,
            },
        );
    }
}

pub(crate) fn key(job: u64) -> JobKey {
    JobKey { job, attempt: 1 }
}

/// A worker on a thread of its own.
pub(crate) struct Running {
    pub(crate) stopper: Stopper,
    thread: JoinHandle<Result<Exit, WorkerError>>,
}

/// Runs the worker that `builder` describes; the test runner keeps its signals.
pub(crate) fn run(builder: WorkerBuilder) -> Running {
    let worker = builder
        .handle_signals(false)
        .build()
        .expect("valid settings");
    Running {
        stopper: worker.stopper(),
        thread: thread::spawn(|| worker.run()),
    }
}

impl Running {
    pub(crate) fn exit(self) -> Exit {
        wait_until("the worker leaves", || self.thread.is_finished());
        self.thread.join().expect("no panic").expect("no error")
    }
}

/// A handler that returns what it gets.
pub(crate) fn echo(job: Job) -> Result<Bytes, JobError> {
    Ok(job.into_body())
}

/// Waits for a condition that something else brings about.
pub(crate) fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let rounds = PATIENCE.as_millis() / 5;
    for _ in 0..rounds {
        if condition() {
            return;
        }
        thread::sleep(Duration::from_millis(5));
    }
    panic!("waited in vain until {what}");
}
