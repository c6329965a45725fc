//! The master's core alone, without sockets, threads or a clock: what one job costs it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use powerhose::master::{Action, Config, Event, Master, NewJob, Peer, Ticket};
use powerhose::wire::{FromWorker, JobKey, Register, ResultCode, ToWorker};
use powerhose::{Bytes, Time};

/// What a handler is said to have taken. Longer than the window within which jobs are sent ahead: each worker has one at a time.
const ELAPSED_US: u32 = 2000;

/// How much time passes with each job. Next to nothing: no timer shall fire, however long a bench runs.
const STEP: Duration = Duration::from_nanos(1);

/// How long callers wait. Long enough for the longest queue, since what cannot be done in time is refused.
const PATIENCE: Duration = Duration::from_secs(3600);

/// A core with workers that answer at once.
pub struct Desk {
    core: Master,
    now: Time,
    sessions: Vec<u64>,
    at_workers: VecDeque<(Peer, JobKey)>,
    tickets: u64,
    completed: u64,
    service: Arc<str>,
    body: Bytes,
}

impl Desk {
    /// A core with so many workers of one slot each, and so many jobs that wait because all workers are busy.
    ///
    /// # Panics
    /// When the core does not take them.
    pub fn new(workers: u32, waiting: usize) -> Self {
        let mut desk = Self {
            core: Master::new(Config::default(), 1),
            now: Time::ZERO,
            sessions: Vec::new(),
            at_workers: VecDeque::new(),
            tickets: 0,
            completed: 0,
            service: Arc::from(""),
            body: Bytes::from_static(&[7; 64]),
        };
        for worker in 0..workers {
            desk.register(worker);
        }
        assert_eq!(desk.sessions.len(), workers as usize);
        if waiting > 0 {
            for _ in 0..waiting + workers as usize {
                desk.submit();
            }
            assert_eq!(desk.at_workers.len(), workers as usize);
        }
        desk
    }

    fn register(&mut self, worker: u32) {
        let register = Register {
            services: vec![String::new()],
            slots: 1,
            pid: worker + 1,
            host: "host".to_owned(),
            implementation: "bench".to_owned(),
            socket: None,
            running: Vec::new(),
        };
        let peer = Peer::Backend(worker.into());
        let message = FromWorker::Register {
            session: 0,
            register,
        };
        self.handle(Event::Message { peer, message });
    }

    /// One job comes in and one result comes back, of the job that has been at a worker for the longest.
    pub fn job(&mut self) {
        self.now = self.now + STEP;
        self.submit();
        self.answer();
    }

    fn submit(&mut self) {
        self.tickets += 1;
        self.handle(Event::Submit {
            ticket: Ticket(self.tickets),
            job: NewJob {
                service: Arc::clone(&self.service),
                body: self.body.clone(),
                metadata: None,
                deadline: self.now + PATIENCE,
                attempt_timeout: None,
                attempts: 3,
                at_most_once: false,
                client: 0,
            },
        });
    }

    fn answer(&mut self) {
        let Some((peer, key)) = self.at_workers.pop_front() else {
            return;
        };
        let Peer::Backend(worker) = peer else { return };
        self.handle(Event::Message {
            peer,
            message: FromWorker::Result {
                session: self.sessions[worker as usize],
                key,
                code: ResultCode::Ok,
                elapsed_us: ELAPSED_US,
                body: self.body.clone(),
            },
        });
    }

    fn handle(&mut self, event: Event) {
        self.core.handle(event, self.now);
        while let Some(action) = self.core.poll_action() {
            match action {
                Action::Send { peer, message } => match message {
                    ToWorker::Job { key, .. } => self.at_workers.push_back((peer, key)),
                    ToWorker::Registered { session, .. } => self.sessions.push(session),
                    _ => {}
                },
                Action::Complete { result, .. } => {
                    assert!(result.is_ok(), "{result:?}");
                    self.completed += 1;
                }
                _ => {}
            }
        }
    }

    /// How many jobs have had their result.
    pub fn completed(&self) -> u64 {
        self.completed
    }
}
