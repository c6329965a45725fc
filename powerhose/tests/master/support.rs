//! A master driven by hand in virtual time, and what it did.

use std::time::Duration;

use powerhose::master::{Action, Config, Event, Master, NewJob, Peer, Ticket};
use powerhose::wire::{
    CancelReason, DisconnectReason, FromWorker, JobKey, Register, Registered, RejectReason,
    ResultCode, RunningJob, ToWorker,
};
use powerhose::{Bytes, ExecuteError, Time};

/// Milliseconds.
pub(crate) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Microseconds.
pub(crate) const fn us(micros: u64) -> Duration {
    Duration::from_micros(micros)
}

/// A worker as the test plays it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Player {
    pub(crate) peer: Peer,
    pub(crate) session: u64,
}

/// A JOB as it went out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) peer: Peer,
    pub(crate) session: u64,
    pub(crate) key: JobKey,
    pub(crate) service: u16,
    pub(crate) budget_ms: u32,
    pub(crate) body: Bytes,
}

/// A master, the virtual clock, and everything that the master did since it was last asked.
pub(crate) struct Bench {
    pub(crate) master: Master,
    pub(crate) now: Time,
    log: Vec<Action>,
    tickets: u64,
    peers: u64,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::with(Config::default())
    }

    pub(crate) fn with(config: Config) -> Self {
        Self {
            master: Master::new(config, 7),
            now: Time::from_nanos(1_000_000_000),
            log: Vec::new(),
            tickets: 0,
            peers: 0,
        }
    }

    pub(crate) fn event(&mut self, event: Event) {
        self.master.handle(event, self.now);
        if let Err(why) = self.master.check_invariants() {
            panic!("{why}");
        }
        while let Some(action) = self.master.poll_action() {
            self.log.push(action);
        }
    }

    pub(crate) fn message(&mut self, peer: Peer, message: FromWorker) {
        self.event(Event::Message { peer, message });
    }

    /// Lets time pass, with every tick that the master asks for on the way.
    pub(crate) fn advance(&mut self, duration: Duration) {
        let end = self.now + duration;
        while let Some(due) = self.master.next_deadline().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.event(Event::Tick);
        }
        self.now = end;
    }

    /// Lets time pass in which the process of the master is stopped.
    pub(crate) fn freeze(&mut self, duration: Duration) {
        self.now = self.now + duration;
    }

    // --- what the master did

    /// Everything that the master did since the last call of this or another method that takes.
    pub(crate) fn take(&mut self) -> Vec<Action> {
        std::mem::take(&mut self.log)
    }

    /// The jobs that it sent. Whatever else it did is forgotten.
    pub(crate) fn jobs(&mut self) -> Vec<Sent> {
        let job = |action| match action {
            Action::Send {
                peer,
                message:
                    ToWorker::Job {
                        session,
                        key,
                        service,
                        budget_ms,
                        body,
                        ..
                    },
            } => Some(Sent {
                peer,
                session,
                key,
                service,
                budget_ms,
                body,
            }),
            _ => None,
        };
        self.take().into_iter().filter_map(job).collect()
    }

    /// The only job that it sent.
    pub(crate) fn job(&mut self) -> Sent {
        let mut jobs = self.jobs();
        assert_eq!(jobs.len(), 1, "one job is sent: {jobs:?}");
        jobs.remove(0)
    }

    /// The outcomes that it gave. Whatever else it did is forgotten.
    pub(crate) fn outcomes(&mut self) -> Vec<(Ticket, Result<Bytes, ExecuteError>)> {
        let outcome = |action| match action {
            Action::Complete { ticket, result } => Some((ticket, result)),
            _ => None,
        };
        self.take().into_iter().filter_map(outcome).collect()
    }

    /// The only outcome that it gave, which is that of this job.
    pub(crate) fn outcome(&mut self, ticket: Ticket) -> Result<Bytes, ExecuteError> {
        let mut outcomes = self.outcomes();
        assert_eq!(outcomes.len(), 1, "one outcome: {outcomes:?}");
        let (whose, result) = outcomes.remove(0);
        assert_eq!(whose, ticket);
        result
    }

    /// The attempts that it called off. Whatever else it did is forgotten.
    pub(crate) fn cancels(&mut self) -> Vec<(Peer, JobKey, CancelReason)> {
        let cancel = |action| match action {
            Action::Send {
                peer,
                message: ToWorker::Cancel { key, reason, .. },
            } => Some((peer, key, reason)),
            _ => None,
        };
        self.take().into_iter().filter_map(cancel).collect()
    }

    /// What it refused. Whatever else it did is forgotten.
    pub(crate) fn rejections(&mut self) -> Vec<RejectReason> {
        let rejection = |action| match action {
            Action::Send {
                message: ToWorker::Rejected { reason, .. },
                ..
            } => Some(reason),
            _ => None,
        };
        self.take().into_iter().filter_map(rejection).collect()
    }

    /// The workers that it wrote HEARTBEAT to. Whatever else it did is forgotten.
    pub(crate) fn heartbeats(&mut self) -> Vec<Peer> {
        let heartbeat = |action| match action {
            Action::Send {
                peer,
                message: ToWorker::Heartbeat { .. },
            } => Some(peer),
            _ => None,
        };
        self.take().into_iter().filter_map(heartbeat).collect()
    }

    // --- callers

    pub(crate) fn new_job(&self) -> NewJob {
        NewJob {
            service: "".into(),
            body: Bytes::from_static(b"payload"),
            metadata: None,
            deadline: self.now + Duration::from_secs(30),
            attempt_timeout: None,
            attempts: 3,
            at_most_once: false,
            client: 0,
        }
    }

    pub(crate) fn submit(&mut self, job: NewJob) -> Ticket {
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        self.event(Event::Submit { ticket, job });
        ticket
    }

    /// Submits a job with nothing special about it.
    pub(crate) fn submit_plain(&mut self) -> Ticket {
        self.submit(self.new_job())
    }

    pub(crate) fn cancel(&mut self, ticket: Ticket) {
        self.event(Event::Cancel { ticket });
    }

    // --- workers

    pub(crate) fn fresh_peer(&mut self) -> Peer {
        self.peers += 1;
        Peer::Backend(self.peers)
    }

    /// Sends REGISTER over a connection. Returns what the master answers, if it accepts.
    pub(crate) fn register(
        &mut self,
        peer: Peer,
        session: u64,
        register: Register,
    ) -> Option<(u64, Registered)> {
        let before = self.log.len();
        self.message(peer, FromWorker::Register { session, register });
        self.log[before..].iter().find_map(|action| match action {
            Action::Send {
                peer: to,
                message: ToWorker::Registered { session, terms },
            } if *to == peer => Some((*session, terms.clone())),
            _ => None,
        })
    }

    /// A new worker.
    pub(crate) fn worker_with(&mut self, register: Register) -> Player {
        let peer = self.fresh_peer();
        let (session, _) = self.register(peer, 0, register).expect("accepted");
        Player { peer, session }
    }

    /// A new worker of the default service with one slot.
    pub(crate) fn worker(&mut self) -> Player {
        self.worker_with(registration())
    }

    /// A new worker that the master has measured: its jobs take `elapsed`. There must be no other worker and no job.
    pub(crate) fn measured_worker(&mut self, slots: u16, elapsed: Duration) -> Player {
        let player = self.worker_with(Register {
            slots,
            ..registration()
        });
        self.take();
        for _ in 0..32 {
            let ticket = self.submit_plain();
            let job = self.job();
            assert_eq!(job.session, player.session);
            self.advance(elapsed);
            self.finish(player, job.key, elapsed);
            self.outcome(ticket).expect("a result");
        }
        player
    }

    pub(crate) fn result(&mut self, player: Player, key: JobKey, code: ResultCode, body: Bytes) {
        self.result_after(player, key, code, body, Duration::ZERO);
    }

    fn result_after(
        &mut self,
        player: Player,
        key: JobKey,
        code: ResultCode,
        body: Bytes,
        elapsed: Duration,
    ) {
        let message = FromWorker::Result {
            session: player.session,
            key,
            code,
            elapsed_us: u32::try_from(elapsed.as_micros()).expect("short"),
            body,
        };
        self.message(player.peer, message);
    }

    /// A result, after a handler ran for this long.
    pub(crate) fn finish(&mut self, player: Player, key: JobKey, elapsed: Duration) {
        let body = Bytes::from_static(b"result");
        self.result_after(player, key, ResultCode::Ok, body, elapsed);
    }

    pub(crate) fn return_job(&mut self, player: Player, key: JobKey) {
        self.result(player, key, ResultCode::Returned, Bytes::new());
    }

    pub(crate) fn heartbeat(&mut self, player: Player) {
        let session = player.session;
        self.message(player.peer, FromWorker::Heartbeat { session });
    }

    pub(crate) fn drain_worker(&mut self, player: Player) {
        let session = player.session;
        self.message(player.peer, FromWorker::Drain { session });
    }

    pub(crate) fn disconnect(&mut self, player: Player) {
        let message = FromWorker::Disconnect {
            session: player.session,
            reason: DisconnectReason::Drained,
        };
        self.message(player.peer, message);
    }

    /// The connection of a worker is found to be gone.
    pub(crate) fn lose(&mut self, player: Player) {
        self.event(Event::Unreachable { peer: player.peer });
    }
}

/// One slot, the default service.
pub(crate) fn registration() -> Register {
    Register {
        services: vec![String::new()],
        slots: 1,
        pid: 1,
        host: String::new(),
        implementation: String::new(),
        socket: None,
        running: Vec::new(),
    }
}

pub(crate) fn offering(services: &[&str]) -> Register {
    Register {
        services: services.iter().map(|&name| name.to_owned()).collect(),
        ..registration()
    }
}

pub(crate) fn holding(running: &[JobKey]) -> Register {
    let running = running.iter().map(|key| RunningJob {
        job: key.job,
        attempt: key.attempt,
    });
    Register {
        running: running.collect(),
        ..registration()
    }
}
