//! Any events in any order: every job has one outcome, which is its own, bounds are kept, and everything ends.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::wire::{DisconnectReason, WireError};

/// What may happen next. Numbers are small so that they meet: a peer is one of a few that open one connection after the other.
#[derive(Debug, Clone)]
enum Step {
    Open {
        peer: usize,
        claim: Claim,
    },
    Submit {
        peer: usize,
        skip: u64,
        len: usize,
    },
    Again {
        peer: usize,
        back: u64,
    },
    Withdraw {
        peer: usize,
        nth: u64,
    },
    Heartbeat {
        peer: usize,
        received: u64,
    },
    Leave {
        peer: usize,
    },
    Stranger {
        peer: usize,
    },
    Malformed {
        peer: usize,
    },
    /// The core gives a job its outcome.
    Complete {
        nth: usize,
    },
    /// An outcome comes that was on its way when its job was cancelled.
    Cross {
        nth: usize,
    },
    Lose {
        peer: usize,
    },
    Overflow {
        peer: usize,
    },
    Disconnection,
    Deadline,
    Pass(u64),
    Drain,
}

/// What a peer says in OPEN.
#[derive(Debug, Clone)]
enum Claim {
    Nothing,
    /// The session that it had last, and how many replies it misses of those that it was sent.
    Own {
        missed: u64,
    },
    /// The session of another peer.
    Foreign,
}

const PEERS: usize = 4;

fn any_step() -> impl Strategy<Value = Step> {
    let peer = 0..PEERS;
    let claim = prop_oneof![
        1 => Just(Claim::Nothing),
        6 => (0_u64..4).prop_map(|missed| Claim::Own { missed }),
        1 => Just(Claim::Foreign),
    ];
    prop_oneof![
        8 => (peer.clone(), claim).prop_map(|(peer, claim)| Step::Open { peer, claim }),
        20 => (peer.clone(), 1_u64..3, 0..=MAX_BODY + 1)
            .prop_map(|(peer, skip, len)| Step::Submit { peer, skip, len }),
        2 => (peer.clone(), 0_u64..3).prop_map(|(peer, back)| Step::Again { peer, back }),
        6 => (peer.clone(), 0_u64..6).prop_map(|(peer, nth)| Step::Withdraw { peer, nth }),
        6 => (peer.clone(), 0_u64..40)
            .prop_map(|(peer, received)| Step::Heartbeat { peer, received }),
        1 => peer.clone().prop_map(|peer| Step::Leave { peer }),
        1 => peer.clone().prop_map(|peer| Step::Stranger { peer }),
        1 => peer.clone().prop_map(|peer| Step::Malformed { peer }),
        15 => any::<usize>().prop_map(|nth| Step::Complete { nth }),
        6 => any::<usize>().prop_map(|nth| Step::Cross { nth }),
        4 => peer.clone().prop_map(|peer| Step::Lose { peer }),
        1 => peer.prop_map(|peer| Step::Overflow { peer }),
        1 => Just(Step::Disconnection),
        8 => Just(Step::Deadline),
        4 => (0_u64..3000).prop_map(Step::Pass),
    ]
}

/// What a peer knows.
#[derive(Debug, Clone, Copy, Default)]
struct PeerView {
    connection: u64,
    session: u64,
    submitted: u64,
}

/// What all clients of a session were told: the replies by their place, and the places by job.
#[derive(Debug, Default)]
struct Told {
    replies: Vec<Reply>,
    jobs: BTreeMap<u64, usize>,
    /// The replies that the client of the present connection has had.
    received: usize,
}

/// The driver, the master's core and all peers.
struct Model {
    master: Driven,
    peers: [PeerView; PEERS],
    next_connection: u64,
    /// The jobs that the core has, with what their result is made of.
    open: BTreeMap<Ticket, (u64, u64)>,
    crossing: Vec<(Ticket, (u64, u64))>,
    tickets: BTreeSet<Ticket>,
    gone: BTreeSet<u64>,
    told: BTreeMap<u64, Told>,
    ended: BTreeSet<u64>,
}

/// The only right result of a job.
fn result(session: u64, sequence: u64) -> Bytes {
    Bytes::from(format!("{session:x}/{sequence}"))
}

impl Model {
    fn new() -> Self {
        let mut model = Self {
            master: Driven::new(),
            peers: [PeerView::default(); PEERS],
            next_connection: 0,
            open: BTreeMap::new(),
            crossing: Vec::new(),
            tickets: BTreeSet::new(),
            gone: BTreeSet::new(),
            told: BTreeMap::new(),
            ended: BTreeSet::new(),
        };
        (0..PEERS).for_each(|peer| model.reconnect(peer));
        model
    }

    fn reconnect(&mut self, peer: usize) {
        self.next_connection += 1;
        self.peers[peer].connection = self.next_connection;
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Open { peer, claim } => self.open(peer, &claim),
            Step::Submit { peer, skip, len } => {
                let sequence = self.peers[peer].submitted + skip;
                self.submit(peer, sequence, len);
            }
            Step::Again { peer, back } => {
                let sequence = self.peers[peer].submitted.saturating_sub(back);
                self.submit(peer, sequence, 1);
            }
            Step::Withdraw { peer, nth } => {
                let session = self.peers[peer].session;
                let sequence = self.peers[peer].submitted.saturating_sub(nth);
                self.receive(peer, FromClient::Withdraw { session, sequence });
            }
            Step::Heartbeat { peer, received } => {
                let session = self.peers[peer].session;
                let had = self.told.get(&session).map_or(0, |told| told.received);
                self.receive(peer, heartbeat(session, received.min(had as u64)));
            }
            Step::Leave { peer } => {
                let session = self.peers[peer].session;
                let reason = DisconnectReason::Shutdown;
                self.receive(peer, FromClient::Disconnect { session, reason });
            }
            Step::Stranger { peer } => self.receive(peer, heartbeat(1, 1)),
            Step::Malformed { peer } => {
                let error = WireError::ShortHeader { len: 0 };
                let connection = self.peers[peer].connection;
                self.hand_in(FrontendEvent::Malformed { connection, error });
            }
            Step::Complete { nth } => {
                let nth = nth % self.open.len().max(1);
                if let Some(&ticket) = self.open.keys().nth(nth) {
                    self.complete(ticket);
                }
            }
            Step::Cross { nth } => {
                if !self.crossing.is_empty() {
                    let (ticket, (session, sequence)) =
                        self.crossing.swap_remove(nth % self.crossing.len());
                    let result = Ok(result(session, sequence));
                    self.hand_in(FrontendEvent::Completed { ticket, result });
                }
            }
            Step::Lose { peer } => {
                let connection = self.peers[peer].connection;
                self.gone.insert(connection);
                self.hand_in(FrontendEvent::Unreachable { connection });
                self.reconnect(peer);
            }
            Step::Overflow { peer } => {
                let connection = self.peers[peer].connection;
                self.hand_in(FrontendEvent::Overflow { connection });
            }
            Step::Disconnection => self.hand_in(FrontendEvent::Disconnection),
            Step::Deadline => self.tick(),
            Step::Pass(milliseconds) => {
                self.master.now = self.master.now + Duration::from_millis(milliseconds);
                self.tick_now();
            }
            Step::Drain => self.hand_in(FrontendEvent::Drain),
        }
    }

    fn open(&mut self, peer: usize, claim: &Claim) {
        let (session, missed) = match claim {
            Claim::Nothing => (0, 0),
            Claim::Own { missed } => (self.peers[peer].session, *missed),
            Claim::Foreign => (self.peers[(peer + 1) % PEERS].session, 0),
        };
        let told = self.told.entry(session).or_default();
        let had = told.received;
        told.received = had.saturating_sub(usize::try_from(missed).expect("small"));
        let received = told.received as u64;
        let rejected = self.master.core.counters().rejected;
        self.receive(peer, open(session, received));
        if self.master.core.counters().rejected > rejected {
            // As when it opens sessions too often. Nothing is sent again.
            self.told.entry(session).or_default().received = had;
        }
    }

    fn submit(&mut self, peer: usize, sequence: u64, len: usize) {
        let view = &mut self.peers[peer];
        let session = view.session;
        view.submitted = view.submitted.max(sequence);
        let submit = Submit {
            body: Bytes::from(vec![0; len]),
            ..submit(sequence)
        };
        self.receive(peer, FromClient::Submit { session, submit });
    }

    fn receive(&mut self, peer: usize, message: FromClient) {
        let connection = self.peers[peer].connection;
        let session = message.session();
        let submission = match &message {
            FromClient::Submit { submit, .. } => Some((session, submit.sequence)),
            _ => None,
        };
        let event = FrontendEvent::Message {
            connection,
            message,
        };
        let actions = self.master.handle(event);
        self.perform(actions, submission);
    }

    fn hand_in(&mut self, event: FrontendEvent) {
        let actions = self.master.handle(event);
        self.perform(actions, None);
    }

    fn complete(&mut self, ticket: Ticket) {
        let (session, sequence) = self.open.remove(&ticket).expect("it is open");
        let result = Ok(result(session, sequence));
        self.hand_in(FrontendEvent::Completed { ticket, result });
    }

    fn tick(&mut self) {
        if let Some(due) = self.master.core.next_deadline() {
            self.master.now = self.master.now.max(due);
        }
        self.tick_now();
    }

    fn tick_now(&mut self) {
        self.hand_in(FrontendEvent::Tick);
        let next = self.master.core.next_deadline();
        assert!(
            next.is_none_or(|next| next > self.master.now),
            "ticking again at once would change nothing"
        );
    }

    /// Does what the core decided, as a driver, and judges it. `submission` is what it was handed, if that was a job.
    fn perform(&mut self, actions: Vec<FrontendAction>, submission: Option<(u64, u64)>) {
        for action in actions {
            match action {
                FrontendAction::Submit { ticket, job } => {
                    assert!(self.tickets.insert(ticket), "{ticket:?} is not new");
                    assert!(job.body.len() <= MAX_BODY, "a job above the limit");
                    let of = submission.expect("there was no job");
                    assert!(
                        self.open.values().all(|other| *other != of),
                        "{of:?} is under way already"
                    );
                    self.open.insert(ticket, of);
                }
                FrontendAction::Cancel { ticket } => {
                    let of = self.open.remove(&ticket);
                    self.crossing
                        .push((ticket, of.expect("it is not under way")));
                }
                FrontendAction::Send {
                    connection,
                    message,
                } => {
                    assert!(!self.gone.contains(&connection), "{connection} is gone");
                    self.deliver(connection, message);
                }
                FrontendAction::Report { .. } => panic!("nobody asked for a report"),
            }
        }
    }

    fn deliver(&mut self, connection: u64, message: ToClient) {
        let peer = (self.peers.iter_mut()).find(|peer| peer.connection == connection);
        let peer = peer.expect("a connection of now");
        match message {
            ToClient::Opened { session, terms } => {
                assert!(!self.ended.contains(&session), "{session:x} has ended");
                peer.session = session;
                peer.submitted = terms.submitted;
                self.told.entry(session).or_default();
            }
            ToClient::Reply { session, reply } => {
                assert_eq!(peer.session, session, "a reply of another session");
                assert!(reply.sequence <= peer.submitted, "never submitted");
                if reply.code == OutcomeCode::Ok {
                    let right = result(session, reply.sequence);
                    assert_eq!(reply.body, right, "the result of another job");
                }
                let told = self.told.entry(session).or_default();
                let place = told.received;
                told.received += 1;
                match told.replies.get(place) {
                    Some(before) => assert_eq!(*before, reply, "not as it was sent before"),
                    None => {
                        assert_eq!(place, told.replies.len());
                        let other = told.jobs.insert(reply.sequence, place);
                        assert_eq!(other, None, "job {} has two outcomes", reply.sequence);
                        told.replies.push(reply);
                    }
                }
            }
            ToClient::Disconnect { session, .. } => {
                assert!(self.ended.insert(session), "{session:x} ends twice");
            }
            ToClient::Rejected { .. }
            | ToClient::Heartbeat { .. }
            | ToClient::Drain { .. }
            | ToClient::Report { .. } => {}
        }
    }

    /// Every job gets its outcome and every client goes.
    fn end(&mut self) {
        let open: Vec<Ticket> = self.open.keys().copied().collect();
        for ticket in open {
            self.complete(ticket);
        }
        assert_eq!(self.master.core.jobs(), 0);
        for client in self.master.core.clients(self.master.now) {
            assert_eq!(client.jobs, 0);
            let told = self.told.get(&client.session).expect("it was opened");
            let attached = (self.peers.iter()).any(|peer| peer.session == client.session);
            if attached && client.state == super::super::ClientState::Attached {
                assert_eq!(
                    told.replies.len() as u64,
                    client.replied,
                    "replies are missing"
                );
            }
        }
        for _ in 0..10_000 {
            if self.master.core.next_deadline().is_none() {
                break;
            }
            self.tick();
        }
        assert_eq!(self.master.core.next_deadline(), None, "it never ends");
        assert_eq!(self.master.core.clients(self.master.now).len(), 0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn each_job_has_one_outcome_and_everything_ends(
        steps in prop::collection::vec(any_step(), 0..300),
        drains in prop::option::weighted(0.2, 0_usize..300),
    ) {
        let mut model = Model::new();
        for (number, step) in steps.into_iter().enumerate() {
            if drains == Some(number) {
                model.step(Step::Drain);
            }
            model.step(step);
        }
        model.end();
    }
}
