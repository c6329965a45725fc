//! A worker made of bare sockets, and what tests need around it.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use powerhose::wire::limits::DEFAULT_MAX_BODY;
use powerhose::wire::{FromWorker, JobKey, Register, ResultCode, ToWorker};
use powerhose::{Bytes, JobRunner, JobRunnerBuilder};
use tempfile::TempDir;

/// How long a test waits for what must come before it calls it hung.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// How jobs reach the workers of a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Over the connection that they registered over.
    Connection,
    /// Over sockets of their own.
    OwnSocket,
}

/// A runner that listens in a directory of its own.
pub(crate) struct Bench {
    pub(crate) runner: JobRunner,
    pub(crate) directory: TempDir,
    way: Way,
    own_sockets: AtomicU32,
}

/// Runs a test once for each way in which jobs reach a worker.
pub(crate) async fn both_ways(test: impl AsyncFn(Bench)) {
    both_ways_with(|builder| builder, test).await;
}

/// The same with other settings than the default ones.
pub(crate) async fn both_ways_with(
    set: impl Fn(JobRunnerBuilder) -> JobRunnerBuilder,
    test: impl AsyncFn(Bench),
) {
    for way in [Way::Connection, Way::OwnSocket] {
        println!("jobs reach the workers by {way:?}");
        test(Bench::of(way, &set)).await;
    }
}

impl Bench {
    /// Workers take their jobs over the connections that they register over.
    pub(crate) fn new() -> Self {
        Self::with(|builder| builder)
    }

    pub(crate) fn with(set: impl FnOnce(JobRunnerBuilder) -> JobRunnerBuilder) -> Self {
        Self::of(Way::Connection, set)
    }

    fn of(way: Way, set: impl FnOnce(JobRunnerBuilder) -> JobRunnerBuilder) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let builder =
            JobRunner::builder().bind(format!("ipc://{}/jobs", directory.path().display()));
        let runner = set(builder).start().expect("the runner starts");
        Self {
            runner,
            directory,
            way,
            own_sockets: AtomicU32::new(0),
        }
    }

    /// Where a worker that is about to start has its own socket, if jobs reach it that way.
    pub(crate) fn own_socket(&self) -> Option<String> {
        let number = self.own_sockets.fetch_add(1, Ordering::Relaxed);
        let path = self.directory.path().join(format!("own-{number}"));
        (self.way == Way::OwnSocket).then(|| path.display().to_string())
    }

    /// A bare worker of the default service, registered.
    pub(crate) async fn worker(&self) -> Bare {
        self.worker_with(register()).await
    }

    pub(crate) async fn worker_with(&self, mut register: Register) -> Bare {
        let endpoint = self.runner.endpoints()[0].clone();
        register.socket = self.own_socket();
        let registering = tokio::task::spawn_blocking(move || {
            let mut bare = Bare::connect(&endpoint);
            bare.own = register.socket.as_deref().map(OwnSocket::bind);
            bare.register(register);
            bare
        });
        registering.await.expect("it registers")
    }

    /// A thread that answers every job with its payload until it is disconnected.
    pub(crate) async fn echo(&self, register: Register) -> JoinHandle<u64> {
        let mut bare = self.worker_with(register).await;
        thread::spawn(move || bare.echo())
    }
}

pub(crate) fn register() -> Register {
    Register {
        services: vec![String::new()],
        slots: 1,
        pid: std::process::id(),
        host: "localhost".to_owned(),
        implementation: "bare/1".to_owned(),
        socket: None,
        running: Vec::new(),
    }
}

/// A job as a bare worker receives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Job {
    pub(crate) key: JobKey,
    pub(crate) service: u16,
    pub(crate) budget_ms: u32,
    pub(crate) body: Bytes,
    pub(crate) metadata: Option<Bytes>,
}

/// A worker that does only what it is told to.
pub(crate) struct Bare {
    /// Closed first: what is on its way over the other one counts all the same.
    socket: zmq::Socket,
    own: Option<OwnSocket>,
    pub(crate) session: u64,
}

/// How long a result may take to leave when its worker is gone, in milliseconds.
const LAST_WORDS: i32 = 5000;

/// Where jobs come to and results go from.
struct OwnSocket {
    router: zmq::Socket,
    /// The routing id of the master, once it has sent something.
    master: RefCell<Vec<u8>>,
}

impl OwnSocket {
    fn bind(path: &str) -> Self {
        let router = zmq::Context::new().socket(zmq::ROUTER).expect("a socket");
        router.set_linger(LAST_WORDS).expect("a valid option");
        // It would drop what is beyond its limit.
        router.set_sndhwm(0).expect("a valid option");
        router.bind(&format!("ipc://{path}")).expect("a free path");
        let master = RefCell::default();
        Self { router, master }
    }
}

impl Bare {
    pub(crate) fn connect(endpoint: &str) -> Self {
        let socket = zmq::Context::new().socket(zmq::DEALER).expect("a socket");
        socket.set_linger(0).expect("a valid option");
        socket.connect(endpoint).expect("a valid endpoint");
        Self::from_socket(socket)
    }

    pub(crate) fn from_socket(socket: zmq::Socket) -> Self {
        Self {
            socket,
            own: None,
            session: 0,
        }
    }

    pub(crate) fn register(&mut self, register: Register) {
        let session = self.session;
        self.send(FromWorker::Register { session, register });
        // A job may be at its own socket already, and waits there.
        let own = self.own.take();
        match self.receive() {
            ToWorker::Registered { session, .. } => self.session = session,
            other => panic!("not registered: {other:?}"),
        }
        self.own = own;
    }

    pub(crate) fn send(&self, message: FromWorker) {
        let is_result = matches!(message, FromWorker::Result { .. });
        let mut first = Vec::new();
        let rest = message.encode(&mut first);
        let frames = [Some(first.into()), rest.body, rest.metadata];
        let frames = frames.into_iter().flatten();
        match &self.own {
            Some(own) if is_result => {
                let master = own.master.borrow().clone().into();
                send(&own.router, [master].into_iter().chain(frames));
            }
            _ => self.send_frames(frames),
        }
    }

    pub(crate) fn send_frames(&self, frames: impl IntoIterator<Item = Bytes>) {
        send(&self.socket, frames);
    }

    /// The next message, if one comes in time.
    pub(crate) fn try_receive(&self, timeout: Duration) -> Option<ToWorker> {
        let millis = i64::try_from(timeout.as_millis()).expect("a short time");
        let mut items = vec![self.socket.as_poll_item(zmq::POLLIN)];
        items.extend((self.own.iter()).map(|own| own.router.as_poll_item(zmq::POLLIN)));
        if zmq::poll(&mut items, millis).expect("poll works") == 0 {
            return None;
        }
        let frames = match &self.own {
            Some(own) if !items[0].is_readable() => {
                let mut frames = own.router.recv_multipart(0).expect("an open socket");
                *own.master.borrow_mut() = frames.remove(0);
                frames
            }
            _ => self.socket.recv_multipart(0).expect("an open socket"),
        };
        let mut frames: Vec<_> = frames.into_iter().map(Bytes::from).collect();
        Some(ToWorker::decode(&mut frames, DEFAULT_MAX_BODY).expect("a message"))
    }

    /// The next message.
    pub(crate) fn receive(&self) -> ToWorker {
        self.try_receive(PATIENCE).expect("a message in time")
    }

    /// The next job. Answers to pings are passed over.
    pub(crate) fn job(&self) -> Job {
        loop {
            match self.receive() {
                ToWorker::Job {
                    key,
                    service,
                    budget_ms,
                    body,
                    metadata,
                    ..
                } => {
                    return Job {
                        key,
                        service,
                        budget_ms,
                        body,
                        metadata,
                    };
                }
                ToWorker::Heartbeat { .. } => {}
                other => panic!("not a job: {other:?}"),
            }
        }
    }

    pub(crate) fn answer(&self, key: JobKey, code: ResultCode, body: impl Into<Bytes>) {
        self.send(FromWorker::Result {
            session: self.session,
            key,
            code,
            elapsed_us: 10,
            body: body.into(),
        });
    }

    /// Answers, and dies as soon as libzmq has handed the answers to the system.
    pub(crate) fn leave_with(self, answers: impl IntoIterator<Item = (JobKey, Bytes)>) {
        let answering = self.own.as_ref().map_or(&self.socket, |own| &own.router);
        answering.set_linger(-1).expect("a valid option");
        for (key, body) in answers {
            self.answer(key, ResultCode::Ok, body);
        }
    }

    /// Answers jobs with their payloads until the master says good-bye. Returns how many there were.
    pub(crate) fn echo(&mut self) -> u64 {
        let mut jobs = 0;
        loop {
            match self.try_receive(Duration::from_millis(500)) {
                Some(ToWorker::Job { key, body, .. }) => {
                    jobs += 1;
                    self.answer(key, ResultCode::Ok, body);
                }
                Some(ToWorker::Disconnect { .. }) => return jobs,
                Some(_) => {}
                None => self.send(FromWorker::Heartbeat {
                    session: self.session,
                }),
            }
        }
    }
}

fn send(socket: &zmq::Socket, frames: impl IntoIterator<Item = Bytes>) {
    let frames = frames.into_iter().map(|frame| frame.to_vec());
    socket.send_multipart(frames, 0).expect("an open socket");
}
