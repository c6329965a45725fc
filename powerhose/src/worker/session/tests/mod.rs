//! The session driven by hand, in virtual time.

mod arbitrary;
mod leaving;
mod registration;
mod work;

use std::time::Duration;

use bytes::Bytes;

use super::*;
use crate::wire::{
    CancelReason, DisconnectReason, JobKey, Register, Registered, RejectReason, Rejection,
    ResultCode,
};
use crate::worker::Exit;

/// The session that the master issues unless a test says otherwise.
const SESSION: u64 = 0x5e55;
const HEARTBEAT: Duration = Duration::from_secs(1);
const MISSES: u32 = 3;
const MAX_BODY: usize = 100;

/// A worker with two services.
fn config(slots: u16) -> SessionConfig {
    SessionConfig::new(Register {
        services: vec!["verify".into(), "issue".into()],
        slots,
        pid: 1,
        host: String::new(),
        implementation: String::new(),
        socket: None,
        running: vec![],
    })
}

fn key(job: u64) -> JobKey {
    JobKey { job, attempt: 1 }
}

/// A session and the time it lives in.
struct Driven {
    session: Session,
    now: Time,
}

impl Driven {
    /// Just started; the opening of the connection is in its outputs.
    fn new(config: SessionConfig) -> Self {
        Self {
            session: Session::new(config, 1, Time::ZERO),
            now: Time::ZERO,
        }
    }

    /// Registered, with nothing left in its outputs.
    fn active(config: SessionConfig) -> Self {
        let mut driven = Self::new(config);
        driven.registered(SESSION);
        assert_eq!(driven.state(), State::Active);
        driven
    }

    fn state(&self) -> State {
        self.session.state()
    }

    fn counters(&self) -> Counters {
        *self.session.counters()
    }

    fn outputs(&mut self) -> Vec<Output> {
        std::iter::from_fn(|| self.session.poll_output()).collect()
    }

    fn hand_in(&mut self, input: Input) -> Vec<Output> {
        self.session.handle(input, self.now);
        self.outputs()
    }

    fn message(&mut self, message: ToWorker) -> Vec<Output> {
        self.hand_in(Input::Message(message))
    }

    fn registered(&mut self, session: u64) -> Vec<Output> {
        let terms = Registered {
            heartbeat_ms: HEARTBEAT.as_millis() as u32,
            misses: MISSES,
            max_body: MAX_BODY as u64,
            implementation: String::new(),
        };
        self.message(ToWorker::Registered { session, terms })
    }

    fn rejected(&mut self, session: u64, reason: RejectReason) -> Vec<Output> {
        let rejection = Rejection {
            message: "no".into(),
            versions: vec![],
        };
        self.message(ToWorker::Rejected {
            session,
            reason,
            rejection,
        })
    }

    fn disconnect(&mut self) -> Vec<Output> {
        self.message(ToWorker::Disconnect {
            session: SESSION,
            reason: DisconnectReason::Shutdown,
        })
    }

    fn heartbeat(&mut self) -> Vec<Output> {
        self.message(ToWorker::Heartbeat { session: SESSION })
    }

    /// A job with ten seconds.
    fn job(&mut self, job: u64) -> Vec<Output> {
        self.job_within(job, Duration::from_secs(10))
    }

    fn job_within(&mut self, job: u64, budget: Duration) -> Vec<Output> {
        self.message(to_job(SESSION, job, budget))
    }

    fn cancel(&mut self, job: u64, reason: CancelReason) -> Vec<Output> {
        self.message(ToWorker::Cancel {
            session: SESSION,
            key: key(job),
            reason,
        })
    }

    fn finished(&mut self, slot: u16) -> Vec<Output> {
        self.hand_in(Input::Finished {
            slot,
            code: ResultCode::Ok,
            elapsed: Duration::from_micros(5),
            body: Bytes::from_static(b"done"),
        })
    }

    /// Lets time pass with ticks exactly when the session asks for them.
    fn pass(&mut self, duration: Duration) -> Vec<Output> {
        let end = self.now + duration;
        let mut outputs = Vec::new();
        while let Some(due) = self.session.next_deadline()
            && due <= end
        {
            self.now = self.now.max(due);
            outputs.extend(self.hand_in(Input::Tick));
        }
        self.now = end;
        outputs
    }

    /// Lets time pass in which the process is stopped.
    fn sleep(&mut self, duration: Duration) {
        self.now = self.now + duration;
    }

    /// Lets the master fall silent; the session is in its backoff afterwards.
    fn silence(&mut self) -> Vec<Output> {
        let end = self.now + HEARTBEAT * MISSES;
        let mut outputs = Vec::new();
        while self.state() != State::Backoff {
            assert!(self.now <= end, "the silence was noticed");
            let due = self.session.next_deadline().expect("a limit");
            self.now = self.now.max(due);
            outputs.extend(self.hand_in(Input::Tick));
        }
        outputs
    }
}

fn to_job(session: u64, job: u64, budget: Duration) -> ToWorker {
    ToWorker::Job {
        session,
        key: key(job),
        service: 0,
        budget_ms: budget.as_millis() as u32,
        body: Bytes::from_static(b"do"),
        metadata: None,
    }
}

fn sent(message: FromWorker) -> Output {
    Output::Send(message)
}

fn result(job: u64, code: ResultCode, body: &'static [u8]) -> Output {
    let elapsed_us = if body.is_empty() { 0 } else { 5 };
    sent(FromWorker::Result {
        session: SESSION,
        key: key(job),
        code,
        elapsed_us,
        body: Bytes::from_static(body),
    })
}

fn done(job: u64) -> Output {
    result(job, ResultCode::Ok, b"done")
}

fn not_started(job: u64, code: ResultCode) -> Output {
    result(job, code, b"")
}

fn started(outputs: &[Output]) -> Vec<(u16, u64)> {
    let start = |output: &Output| match output {
        Output::Start { slot, job } => Some((*slot, job.key.job)),
        _ => None,
    };
    outputs.iter().filter_map(start).collect()
}

/// The REGISTER among the outputs: the session it names and the jobs it lists.
fn register(outputs: &[Output]) -> Option<(u64, Vec<u64>)> {
    let register = |output: &Output| match output {
        Output::Send(FromWorker::Register { session, register }) => {
            let jobs = register.running.iter().map(|running| running.job);
            Some((*session, jobs.collect()))
        }
        _ => None,
    };
    outputs.iter().find_map(register)
}

fn disconnected(reason: DisconnectReason) -> Output {
    sent(FromWorker::Disconnect {
        session: SESSION,
        reason,
    })
}

fn draining() -> Output {
    sent(FromWorker::Drain { session: SESSION })
}
