use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::{Core, CoreConfig, Input, Output};
use crate::error::{ExecuteError, Started};
use crate::master::{NewJob, Ticket};
use crate::time::Time;
use crate::wire::{
    DisconnectReason, FromClient, Open, Opened, RejectReason, Rejection, Reply, ToClient,
};

const SESSION: u64 = 0x5eed;

const GRACE: Duration = Duration::from_secs(5);

/// A core, what time it is there, and what it put out last.
struct Client {
    core: Core,
    now: Time,
}

impl Client {
    fn new(masters: usize) -> Self {
        let config = CoreConfig {
            masters,
            introduction: Open::default(),
            max_queue_jobs: 3,
            max_queue_bytes: 1000,
        };
        Self {
            core: Core::new(config, 1),
            now: Time::ZERO,
        }
    }

    /// A client that has a session with its only master.
    fn open() -> Self {
        let mut client = Self::new(1);
        let outputs = client.ticks_until(|output| matches!(output, Output::Connect { .. }));
        assert_eq!(opened_with(&outputs), [(0, 0)]);
        client.receive(opened(SESSION, 0));
        client
    }

    fn handle(&mut self, input: Input) -> Vec<Output> {
        self.core.handle(input, self.now);
        std::iter::from_fn(|| self.core.poll_output()).collect()
    }

    fn receive(&mut self, message: ToClient) -> Vec<Output> {
        self.handle(Input::Message { link: 0, message })
    }

    fn submit(&mut self, ticket: u64, at_most_once: bool) -> Vec<Output> {
        let ticket = Ticket(ticket);
        let job = NewJob {
            service: Arc::from("hash"),
            body: Bytes::from_static(b"body"),
            metadata: None,
            deadline: self.now + Duration::from_secs(60),
            attempt_timeout: None,
            attempts: 3,
            at_most_once,
            client: 0,
        };
        self.handle(Input::Submit { ticket, job })
    }

    /// Lets time pass to one deadline after the other until an output is there.
    fn ticks_until(&mut self, is_wanted: impl Fn(&Output) -> bool) -> Vec<Output> {
        for _ in 0..100 {
            if let Some(due) = self.core.next_deadline() {
                self.now = self.now.max(due);
            }
            let outputs = self.handle(Input::Tick);
            if outputs.iter().any(&is_wanted) {
                return outputs;
            }
        }
        panic!("it does not come");
    }
}

fn opened(session: u64, submitted: u64) -> ToClient {
    let terms = Opened {
        heartbeat_ms: 1000,
        misses: 3,
        max_body: 100,
        grace_ms: u32::try_from(GRACE.as_millis()).expect("five seconds"),
        max_jobs: 2,
        max_bytes: 1000,
        submitted,
        implementation: String::new(),
    };
    ToClient::Opened { session, terms }
}

fn done(sequence: u64) -> ToClient {
    ToClient::Reply {
        session: SESSION,
        reply: Reply::new(sequence, Ok(Bytes::from_static(b"done"))),
    }
}

/// The links and sessions of the OPENs among the outputs.
fn opened_with(outputs: &[Output]) -> Vec<(usize, u64)> {
    (outputs.iter())
        .filter_map(|output| match output {
            Output::Send {
                link,
                message: FromClient::Open { session, .. },
            } => Some((*link, *session)),
            _ => None,
        })
        .collect()
}

/// The sessions and numbers of the SUBMITs among the outputs.
fn submitted(outputs: &[Output]) -> Vec<(u64, u64)> {
    (outputs.iter())
        .filter_map(|output| match output {
            Output::Send {
                message: FromClient::Submit { session, submit },
                ..
            } => Some((*session, submit.sequence)),
            _ => None,
        })
        .collect()
}

fn completed(outputs: Vec<Output>) -> Vec<(u64, Result<Bytes, ExecuteError>)> {
    (outputs.into_iter())
        .filter_map(|output| match output {
            Output::Complete { ticket, result } => Some((ticket.0, result)),
            _ => None,
        })
        .collect()
}

fn lost() -> Result<Bytes, ExecuteError> {
    let started = Started::Maybe;
    Err(ExecuteError::MasterLost { started })
}

#[test]
fn a_job_is_submitted_in_its_session_and_ends_with_its_reply() {
    let mut client = Client::open();
    assert_eq!(submitted(&client.submit(7, false)), [(SESSION, 1)]);
    let outputs = client.receive(done(1));
    assert_eq!(completed(outputs), [(7, Ok(Bytes::from_static(b"done")))]);
    assert_eq!(completed(client.receive(done(1))), []);
}

#[test]
fn jobs_beyond_the_terms_wait_and_those_beyond_the_queue_are_refused() {
    let mut client = Client::open();
    let sent: Vec<_> = (1..=5)
        .flat_map(|ticket| submitted(&client.submit(ticket, false)))
        .collect();
    assert_eq!(sent, [(SESSION, 1), (SESSION, 2)]);
    let refused = completed(client.submit(6, false));
    assert!(matches!(
        refused[..],
        [(6, Err(ExecuteError::Overloaded { .. }))]
    ));
    assert_eq!(submitted(&client.receive(done(1))), [(SESSION, 3)]);
}

fn broken() -> Input {
    Input::Broken {
        link: 0,
        is_local: false,
    }
}

#[test]
fn a_session_outlives_connections_that_cannot_be_made() {
    let mut client = Client::open();
    client.submit(1, true);
    client.handle(broken());
    for _ in 0..2 {
        client.ticks_until(|output| matches!(output, Output::Connect { .. }));
        assert_eq!(completed(client.handle(broken())), []);
    }
    let outputs = client.ticks_until(|output| matches!(output, Output::Connect { .. }));
    assert_eq!(opened_with(&outputs), [(0, SESSION)]);
    client.receive(opened(SESSION, 1));
    assert_eq!(completed(client.receive(done(1))).len(), 1);
}

#[test]
fn a_session_is_over_when_nobody_listens_at_the_path_of_its_master() {
    let mut client = Client::open();
    client.submit(1, true);
    client.handle(broken());
    client.ticks_until(|output| matches!(output, Output::Connect { .. }));
    let refused = Input::Broken {
        link: 0,
        is_local: true,
    };
    assert_eq!(completed(client.handle(refused)), [(1, lost())]);
}

#[test]
fn a_connection_that_breaks_is_resumed_and_what_did_not_arrive_is_sent_again() {
    let mut client = Client::open();
    client.submit(1, false);
    client.submit(2, true);
    assert_eq!(completed(client.handle(broken())), []);
    let outputs = client.ticks_until(|output| matches!(output, Output::Connect { .. }));
    assert_eq!(opened_with(&outputs), [(0, SESSION)]);
    assert_eq!(
        submitted(&client.receive(opened(SESSION, 1))),
        [(SESSION, 2)]
    );
    assert_eq!(completed(client.receive(done(2))).len(), 1);
}

#[test]
fn a_master_that_knows_the_session_no_more_gets_again_what_may_be_done_twice() {
    let mut client = Client::open();
    client.submit(1, false);
    client.submit(2, true);
    let outputs = client.receive(ToClient::Rejected {
        session: SESSION,
        reason: RejectReason::UnknownSession,
        rejection: Rejection {
            message: String::new(),
            versions: Vec::new(),
        },
    });
    assert_eq!(completed(outputs), [(2, lost())]);
    client.ticks_until(|output| matches!(output, Output::Connect { .. }));
    assert_eq!(submitted(&client.receive(opened(77, 0))), [(77, 1)]);
}

#[test]
fn a_session_is_given_up_when_the_grace_is_over() {
    let mut client = Client::open();
    client.submit(1, true);
    client.handle(broken());
    let outputs = client.ticks_until(|output| matches!(output, Output::Complete { .. }));
    assert_eq!(completed(outputs), [(1, lost())]);
    assert!(client.now >= Time::ZERO + GRACE);
}

#[test]
fn the_next_master_is_tried_when_the_first_one_cannot_be_reached() {
    let mut client = Client::new(2);
    client.submit(1, false);
    for _ in 0..2 {
        client.ticks_until(|output| matches!(output, Output::Connect { link: 0 }));
        client.handle(broken());
    }
    client.ticks_until(|output| matches!(output, Output::Connect { link: 1 }));
    let outputs = client.handle(Input::Message {
        link: 1,
        message: opened(99, 0),
    });
    assert_eq!(submitted(&outputs), [(99, 1)]);
}

#[test]
fn a_withdrawn_job_is_told_to_the_master_and_has_no_outcome() {
    let mut client = Client::open();
    client.submit(1, false);
    let outputs = client.handle(Input::Cancel { ticket: Ticket(1) });
    assert!(outputs.contains(&Output::Send {
        link: 0,
        message: FromClient::Withdraw {
            session: SESSION,
            sequence: 1,
        },
    }));
    assert_eq!(completed(client.receive(done(1))), []);
}

#[test]
fn closing_waits_for_the_jobs_but_not_for_ever() {
    let mut client = Client::open();
    client.submit(1, false);
    let at = client.now + Duration::from_secs(1);
    assert_eq!(client.handle(Input::Close { at }), []);
    client.now = at;
    let outputs = client.handle(Input::Tick);
    assert!(outputs.contains(&Output::Send {
        link: 0,
        message: FromClient::Disconnect {
            session: SESSION,
            reason: DisconnectReason::Shutdown,
        },
    }));
    assert_eq!(outputs.last(), Some(&Output::Closed));
    let started = Started::Maybe;
    let failed = Err(ExecuteError::ShuttingDown { started });
    assert_eq!(completed(outputs), [(1, failed)]);
    assert_eq!(client.core.next_deadline(), None);
}
