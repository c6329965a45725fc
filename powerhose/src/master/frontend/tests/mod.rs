//! The frontend, event by event; [`arbitrary`] has any events in any order.

mod arbitrary;
mod jobs;
mod peers;
mod sessions;

use std::time::Duration;

use bytes::Bytes;

use super::{Frontend, FrontendAction, FrontendConfig, FrontendEvent};
use crate::error::ExecuteError;
use crate::master::{NewJob, Ticket};
use crate::time::Time;
use crate::wire::{
    FromClient, Open, Opened, OutcomeCode, RejectReason, Reply, ServiceName, Submit, ToClient,
};

const HEARTBEAT: Duration = Duration::from_secs(1);
const MISSES: u32 = 3;
const GRACE: Duration = Duration::from_secs(5);
const MAX_BODY: usize = 40;
const MAX_JOBS: usize = 3;
const MAX_BYTES: usize = 60;
const MAX_CLIENTS: usize = 3;

fn config() -> FrontendConfig {
    FrontendConfig {
        heartbeat: HEARTBEAT,
        misses: MISSES,
        max_body: MAX_BODY,
        grace: GRACE,
        max_clients: MAX_CLIENTS,
        max_client_jobs: MAX_JOBS,
        max_client_bytes: MAX_BYTES,
        answers_status: true,
    }
}

/// A core and what time it is there. Whatever it is given, its tables agree afterwards.
struct Driven {
    core: Frontend,
    now: Time,
}

impl Driven {
    fn new() -> Self {
        Self {
            core: Frontend::new(config(), 1),
            now: Time::ZERO,
        }
    }

    fn handle(&mut self, event: FrontendEvent) -> Vec<FrontendAction> {
        self.core.handle(event, self.now);
        if let Err(contradiction) = self.core.check_invariants() {
            panic!("{contradiction}");
        }
        std::iter::from_fn(|| self.core.poll_action()).collect()
    }

    fn receive(&mut self, connection: u64, message: FromClient) -> Vec<FrontendAction> {
        self.handle(FrontendEvent::Message {
            connection,
            message,
        })
    }

    /// A new session over this connection.
    fn open(&mut self, connection: u64) -> u64 {
        let actions = self.receive(connection, open(0, 0));
        let [(to, session, _)] = opened(&actions)[..] else {
            panic!("no session: {actions:?}");
        };
        assert_eq!(to, connection);
        session
    }

    fn submit(&mut self, connection: u64, session: u64, sequence: u64) -> Vec<FrontendAction> {
        let submit = submit(sequence);
        self.receive(connection, FromClient::Submit { session, submit })
    }

    /// Submits a job that must be taken.
    fn take(&mut self, connection: u64, session: u64, sequence: u64) -> Ticket {
        let actions = self.submit(connection, session, sequence);
        let [(ticket, _)] = submitted(&actions)[..] else {
            panic!("the job is not taken: {actions:?}");
        };
        ticket
    }

    fn complete(&mut self, ticket: Ticket, body: &'static str) -> Vec<FrontendAction> {
        let result = Ok(Bytes::from_static(body.as_bytes()));
        self.handle(FrontendEvent::Completed { ticket, result })
    }

    fn lose(&mut self, connection: u64) -> Vec<FrontendAction> {
        self.handle(FrontendEvent::Unreachable { connection })
    }

    /// Lets time pass as a driver does that is never late. Returns everything that was done meanwhile.
    fn pass(&mut self, time: Duration) -> Vec<FrontendAction> {
        let until = self.now + time;
        let mut actions = Vec::new();
        while let Some(due) = self.core.next_deadline().filter(|due| *due <= until) {
            self.now = self.now.max(due);
            actions.extend(self.handle(FrontendEvent::Tick));
            let next = self.core.next_deadline();
            assert!(next.is_none_or(|next| next > self.now), "the tick is due");
        }
        self.now = until;
        actions
    }

    /// The same for a client that pings meanwhile.
    fn pass_pinging(&mut self, time: Duration, connection: u64, session: u64) {
        let until = self.now + time;
        while self.now < until {
            self.pass(HEARTBEAT.min(until - self.now));
            self.receive(connection, heartbeat(session, 0));
        }
    }
}

fn open(session: u64, received: u64) -> FromClient {
    let open = Open {
        received,
        ..Open::default()
    };
    FromClient::Open { session, open }
}

fn heartbeat(session: u64, received: u64) -> FromClient {
    FromClient::Heartbeat { session, received }
}

fn submit(sequence: u64) -> Submit {
    Submit {
        sequence,
        budget_ms: 60_000,
        attempts: 3,
        at_most_once: false,
        attempt_timeout_ms: None,
        service: ServiceName::new("hash").expect("a name"),
        body: Bytes::from_static(b"twenty bytes of body"),
        metadata: None,
    }
}

/// The connections, sessions and terms of the OPENEDs.
fn opened(actions: &[FrontendAction]) -> Vec<(u64, u64, &Opened)> {
    (actions.iter())
        .filter_map(|action| match action {
            FrontendAction::Send {
                connection,
                message: ToClient::Opened { session, terms },
            } => Some((*connection, *session, terms)),
            _ => None,
        })
        .collect()
}

fn submitted(actions: &[FrontendAction]) -> Vec<(Ticket, &NewJob)> {
    (actions.iter())
        .filter_map(|action| match action {
            FrontendAction::Submit { ticket, job } => Some((*ticket, job)),
            _ => None,
        })
        .collect()
}

fn cancelled(actions: &[FrontendAction]) -> Vec<Ticket> {
    (actions.iter())
        .filter_map(|action| match action {
            FrontendAction::Cancel { ticket } => Some(*ticket),
            _ => None,
        })
        .collect()
}

fn replies(actions: &[FrontendAction]) -> Vec<(u64, &Reply)> {
    (actions.iter())
        .filter_map(|action| match action {
            FrontendAction::Send {
                connection,
                message: ToClient::Reply { reply, .. },
            } => Some((*connection, reply)),
            _ => None,
        })
        .collect()
}

/// The numbers and codes of the REPLYs to a connection, which are all that is done.
fn only_replies(actions: &[FrontendAction], to: u64) -> Vec<(u64, OutcomeCode)> {
    let replies = replies(actions);
    assert_eq!(replies.len(), actions.len(), "{actions:?}");
    (replies.into_iter())
        .map(|(connection, reply)| {
            assert_eq!(connection, to);
            (reply.sequence, reply.code)
        })
        .collect()
}

fn rejected(actions: &[FrontendAction]) -> Vec<(u64, u64, RejectReason)> {
    (actions.iter())
        .filter_map(|action| match action {
            FrontendAction::Send {
                connection,
                message:
                    ToClient::Rejected {
                        session, reason, ..
                    },
            } => Some((*connection, *session, *reason)),
            _ => None,
        })
        .collect()
}

fn sent(connection: u64, message: ToClient) -> FrontendAction {
    FrontendAction::Send {
        connection,
        message,
    }
}

fn failed(actions: &[FrontendAction]) -> ExecuteError {
    let [(_, reply)] = replies(actions)[..] else {
        panic!("not one reply: {actions:?}");
    };
    (reply.clone().into_outcome("hash")).expect_err("no job can have been done")
}
