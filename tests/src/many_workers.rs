//! Many workers in one process: for each a session of the library's own and a connection of its own, for every fifty a thread.
//!
//! What a worker costs in threads and contexts is left out, so that thousands fit on one machine. To the master they are
//! workers like any others.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use powerhose::Time;
use powerhose::wire::{FromWorker, Register, ResultCode, ToWorker};
use powerhose::worker::session::{Assignment, Input, Output, Session, SessionConfig};

use crate::chaos::payload::checksum;
use crate::role_process::wait_for_end;
use crate::usage::allow_descriptors;

/// The most workers of a process: libzmq allows a context 1,023 sockets unless told otherwise.
pub const MOST: usize = 1000;

/// Workers that share a thread. A thread looks at all of its sockets whenever one of them has something.
const PER_THREAD: usize = 50;

/// The longest sleep: how late a thread hears that it is to end.
const NAP: Duration = Duration::from_millis(100);

/// Messages received from one socket before the others are looked at.
const MESSAGES_PER_TURN: usize = 64;

/// How long the last messages may take to leave.
const LINGER_MS: i32 = 1000;

/// What the workers are like.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where the master listens.
    pub endpoint: String,
    /// How many there are, at most [`MOST`].
    pub count: usize,
    /// How long each job takes; its result is its payload's checksum.
    pub work: Duration,
}

/// Is so many workers until the process is told to end.
///
/// # Errors
/// Why one of them could not work.
pub fn run(settings: &Settings) -> io::Result<()> {
    let workers = ManyWorkers::start(settings)?;
    wait_for_end();
    workers.end()
}

struct ManyWorkers {
    leaving: Arc<AtomicBool>,
    threads: Vec<thread::JoinHandle<io::Result<()>>>,
}

impl ManyWorkers {
    /// Starts all of them at once.
    fn start(settings: &Settings) -> io::Result<Self> {
        if settings.count > MOST {
            return Err(io::Error::other(format!("{MOST} workers at most")));
        }
        // A socket has two: one that wakes its thread and one for its connection.
        allow_descriptors(settings.count as u64 * 2 + 256)?;
        let context = zmq::Context::new();
        let leaving = Arc::new(AtomicBool::new(false));
        let mut threads = Vec::new();
        for first in (0..settings.count).step_by(PER_THREAD) {
            let count = PER_THREAD.min(settings.count - first);
            let crew = Crew {
                context: context.clone(),
                settings: settings.clone(),
                origin: Instant::now(),
                leaving: Arc::clone(&leaving),
            };
            threads.push(
                thread::Builder::new()
                    .name(format!("workers-{first}"))
                    .spawn(move || crew.run(count))?,
            );
        }
        Ok(Self { leaving, threads })
    }

    /// Has all of them leave in order, and waits for it.
    fn end(self) -> io::Result<()> {
        self.leaving.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread
                .join()
                .map_err(|_| io::Error::other("a thread of workers panicked"))??;
        }
        Ok(())
    }
}

/// The workers of a thread.
struct Crew {
    context: zmq::Context,
    settings: Settings,
    origin: Instant,
    leaving: Arc<AtomicBool>,
}

struct Worker {
    session: Session,
    socket: Option<zmq::Socket>,
    running: Option<(Time, Assignment)>,
    has_left: bool,
}

impl Crew {
    fn now(&self) -> Time {
        Time::ZERO + self.origin.elapsed()
    }

    fn run(self, count: usize) -> io::Result<()> {
        let register = Register {
            services: vec![String::new()],
            slots: 1,
            pid: std::process::id(),
            host: String::new(),
            implementation: "crowd/1".into(),
            socket: None,
            running: Vec::new(),
        };
        let config = SessionConfig::new(register);
        let mut workers: Vec<Worker> = (0..count)
            .map(|_| Worker {
                session: Session::new(config.clone(), rand::random(), self.now()),
                socket: None,
                running: None,
                has_left: false,
            })
            .collect();
        let mut was_told = false;
        while !workers.is_empty() {
            let is_told = self.leaving.load(Ordering::Relaxed);
            if is_told && !std::mem::replace(&mut was_told, true) {
                for worker in &mut workers {
                    worker.session.handle(Input::Drain, self.now());
                }
            }
            for worker in &mut workers {
                self.work(worker)?;
            }
            workers.retain(|worker| !worker.has_left);
            self.sleep(&workers)?;
            for worker in &mut workers {
                self.receive(worker)?;
            }
        }
        Ok(())
    }

    /// Does what is due, and what the session decides.
    fn work(&self, worker: &mut Worker) -> io::Result<()> {
        let now = self.now();
        if let Some((_, job)) = worker.running.take_if(|(until, _)| *until <= now) {
            let input = Input::Finished {
                slot: 0,
                code: ResultCode::Ok,
                elapsed: self.settings.work,
                body: checksum(&job.body),
            };
            worker.session.handle(input, now);
        }
        if worker.session.next_deadline().is_some_and(|at| at <= now) {
            worker.session.handle(Input::Tick, now);
        }
        while let Some(output) = worker.session.poll_output() {
            match output {
                Output::Open => worker.socket = Some(self.open()?),
                Output::Send(message) => worker.send(message)?,
                Output::Start { job, .. } => worker.running = Some((now + self.settings.work, job)),
                // Jobs are short: they come to their end all the same.
                Output::Cancel { .. } | Output::Overrun { .. } => {}
                Output::Exit(_) => {
                    if let Some(socket) = &worker.socket {
                        socket.set_linger(LINGER_MS)?;
                    }
                    worker.has_left = true;
                }
            }
        }
        Ok(())
    }

    fn open(&self) -> io::Result<zmq::Socket> {
        let socket = self.context.socket(zmq::DEALER)?;
        socket.set_linger(0)?;
        socket.connect(&self.settings.endpoint)?;
        Ok(socket)
    }

    /// Sleeps until something comes or is due.
    fn sleep(&self, workers: &[Worker]) -> io::Result<()> {
        let dues = workers.iter().flat_map(|worker| {
            let running = worker.running.as_ref().map(|(until, _)| *until);
            [running, worker.session.next_deadline()]
        });
        let due = dues.flatten().min();
        let now = self.now();
        let nap = due.map_or(NAP, |due| due.since(now).min(NAP));
        let mut items: Vec<zmq::PollItem<'_>> = (workers.iter())
            .filter_map(|worker| Some(worker.socket.as_ref()?.as_poll_item(zmq::POLLIN)))
            .collect();
        // Rounded up: what is due is done in one turn.
        let milliseconds = i64::try_from(nap.as_micros().div_ceil(1000)).unwrap_or(i64::MAX);
        zmq::poll(&mut items, milliseconds)?;
        Ok(())
    }

    fn receive(&self, worker: &mut Worker) -> io::Result<()> {
        let now = self.now();
        for _ in 0..MESSAGES_PER_TURN {
            let Some(socket) = &worker.socket else { break };
            let frames = match socket.recv_multipart(zmq::DONTWAIT) {
                Err(zmq::Error::EAGAIN) => break,
                frames => frames?,
            };
            let mut frames: Vec<Bytes> = frames.into_iter().map(Bytes::from).collect();
            let input = match ToWorker::decode(&mut frames, usize::MAX) {
                Ok(message) => Input::Message(message),
                Err(error) => Input::Malformed(error),
            };
            worker.session.handle(input, now);
        }
        Ok(())
    }
}

impl Worker {
    /// Sends a message. Few are under way at a time: that there is no room is an error.
    fn send(&self, message: FromWorker) -> io::Result<()> {
        let Some(socket) = &self.socket else {
            return Ok(());
        };
        let mut first = Vec::new();
        let rest = message.encode(&mut first);
        let frames = [Some(Bytes::from(first)), rest.body, rest.metadata];
        let frames = frames.iter().flatten().map(|frame| &frame[..]);
        socket.send_multipart(frames, zmq::DONTWAIT)?;
        Ok(())
    }
}
