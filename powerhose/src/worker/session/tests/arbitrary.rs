//! Any inputs in any order: the invariants of the module's documentation hold.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::wire::WireError;

/// What a driver may do next. Numbers are small so that they meet.
#[derive(Debug, Clone)]
enum Step {
    Message(ToWorker),
    Malformed,
    Finish { nth: usize, len: usize },
    Drain,
    Stop,
    Pass(u64),
    Deadline,
}

fn any_session() -> impl Strategy<Value = u64> {
    prop_oneof![4 => Just(SESSION), 1 => Just(SESSION + 1), 1 => Just(0)]
}

fn any_message() -> impl Strategy<Value = ToWorker> {
    let registered =
        (any_session(), 0_u32..3000, 0_u32..4).prop_map(|(session, heartbeat_ms, misses)| {
            ToWorker::Registered {
                session,
                terms: Registered {
                    heartbeat_ms,
                    misses,
                    max_body: MAX_BODY as u64,
                    implementation: String::new(),
                },
            }
        });
    let rejected =
        (any_session(), prop::sample::select(RejectReason::ALL)).prop_map(|(session, reason)| {
            ToWorker::Rejected {
                session,
                reason,
                rejection: Rejection {
                    message: String::new(),
                    versions: vec![],
                },
            }
        });
    let job = (any_session(), 0_u64..40, 0_u16..3, 0_u32..3000).prop_map(
        |(session, job, service, budget_ms)| ToWorker::Job {
            session,
            key: key(job),
            service,
            budget_ms,
            body: Bytes::new(),
            metadata: None,
        },
    );
    let cancel = (
        any_session(),
        0_u64..40,
        prop::sample::select(CancelReason::ALL),
    )
        .prop_map(|(session, job, reason)| ToWorker::Cancel {
            session,
            key: key(job),
            reason,
        });
    let disconnect = (any_session(), prop::sample::select(DisconnectReason::ALL))
        .prop_map(|(session, reason)| ToWorker::Disconnect { session, reason });
    prop_oneof![
        6 => registered,
        1 => rejected,
        20 => job,
        4 => cancel,
        1 => disconnect,
        2 => any_session().prop_map(|session| ToWorker::Heartbeat { session }),
        1 => any_session().prop_map(|session| ToWorker::Drain { session }),
    ]
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        30 => any_message().prop_map(Step::Message),
        1 => Just(Step::Malformed),
        15 => (any::<usize>(), 0..=MAX_BODY + 1).prop_map(|(nth, len)| Step::Finish { nth, len }),
        1 => Just(Step::Drain),
        1 => Just(Step::Stop),
        4 => (0_u64..5000).prop_map(Step::Pass),
        8 => Just(Step::Deadline),
    ]
}

/// Checks the outputs against what a driver, its slots and a master must be able to rely on.
struct Checker {
    slots: u16,
    /// The jobs in the slots, with the session they came in.
    running: BTreeMap<u16, (u64, JobKey)>,
    /// Attempts started and not answered, by session and attempt. A session that is over may never answer.
    unanswered: BTreeMap<(u64, JobKey), bool>,
    /// The session issued last.
    session: u64,
    /// The session that the last REGISTER named.
    named: u64,
    exited: bool,
}

impl Checker {
    fn check(&mut self, outputs: Vec<Output>) {
        for output in outputs {
            assert!(!self.exited, "{output:?} after the exit");
            match output {
                Output::Start { slot, job } => {
                    assert!(slot < self.slots, "slot {slot} does not exist");
                    let attempt = (self.session, job.key);
                    assert_eq!(
                        self.running.insert(slot, attempt),
                        None,
                        "slot {slot} is busy"
                    );
                    assert_eq!(
                        self.unanswered.insert(attempt, false),
                        None,
                        "{attempt:?} was started before"
                    );
                }
                Output::Cancel { slot } | Output::Overrun { slot, .. } => {
                    assert!(self.running.contains_key(&slot), "slot {slot} is free");
                }
                Output::Send(FromWorker::Result {
                    session,
                    key,
                    code,
                    body,
                    ..
                }) => {
                    assert_eq!(session, self.session, "a result of another session");
                    assert!(body.len() <= MAX_BODY, "a result above the limit");
                    match code {
                        ResultCode::Ok | ResultCode::TooLarge => {
                            assert_eq!(
                                self.unanswered.insert((session, key), true),
                                Some(false),
                                "{key:?} was not started, or answered before"
                            );
                        }
                        _ => assert_eq!(
                            self.unanswered.get(&(session, key)).filter(|done| !**done),
                            None,
                            "{key:?} was started"
                        ),
                    }
                }
                Output::Send(FromWorker::Register { session, .. }) => {
                    assert!(session == 0 || session == self.session, "an old session");
                    self.named = session;
                }
                Output::Send(_) | Output::Open => {}
                Output::Exit(_) => self.exited = true,
            }
        }
    }
}

fn run(slots: u16, max_jobs: Option<u64>, steps: Vec<Step>) {
    let mut worker = Driven::new(SessionConfig {
        max_jobs,
        max_age: Some(Duration::from_secs(60)),
        overrun: Some(Duration::from_millis(700)),
        ..config(slots)
    });
    let mut checker = Checker {
        slots,
        running: BTreeMap::new(),
        unanswered: BTreeMap::new(),
        session: 0,
        named: 0,
        exited: false,
    };
    // Each session is issued once, as masters do: its number tells the attempts of one from those of the next.
    let mut issued = SESSION;
    checker.check(worker.outputs());
    for step in steps {
        let input = match step {
            Step::Message(ToWorker::Registered { session, terms }) => {
                let session = match session {
                    0 => 0,
                    SESSION if checker.named != 0 => checker.named,
                    _ => {
                        issued += 1;
                        issued
                    }
                };
                if worker.state() == State::Registering && session != 0 {
                    checker.session = session;
                }
                Input::Message(ToWorker::Registered { session, terms })
            }
            Step::Message(message) => Input::Message(relabel(message, checker.session)),
            Step::Malformed => Input::Malformed(WireError::ShortHeader { len: 0 }),
            Step::Finish { nth, len } => {
                let busy: Vec<_> = checker.running.keys().copied().collect();
                let Some(&slot) = busy.get(nth % busy.len().max(1)) else {
                    continue;
                };
                checker.running.remove(&slot);
                Input::Finished {
                    slot,
                    code: ResultCode::Ok,
                    elapsed: Duration::ZERO,
                    body: Bytes::from(vec![0; len]),
                }
            }
            Step::Drain => Input::Drain,
            Step::Stop => Input::Stop,
            Step::Pass(milliseconds) => {
                worker.sleep(Duration::from_millis(milliseconds));
                Input::Tick
            }
            Step::Deadline => {
                if let Some(due) = worker.session.next_deadline() {
                    worker.now = worker.now.max(due);
                }
                Input::Tick
            }
        };
        let tick = matches!(input, Input::Tick);
        let outputs = worker.hand_in(input);
        checker.check(outputs);
        assert_eq!(checker.exited, worker.state() == State::Exited);
        if tick && let Some(due) = worker.session.next_deadline() {
            assert!(
                due > worker.now,
                "ticking again at once would change nothing"
            );
        }
    }
}

/// Messages are mostly of the session that the worker is in.
fn relabel(mut message: ToWorker, current: u64) -> ToWorker {
    match &mut message {
        ToWorker::Registered { session, .. }
        | ToWorker::Rejected { session, .. }
        | ToWorker::Heartbeat { session }
        | ToWorker::Job { session, .. }
        | ToWorker::Cancel { session, .. }
        | ToWorker::Drain { session }
        | ToWorker::Disconnect { session, .. } => {
            if *session == SESSION {
                *session = current;
            }
        }
    }
    message
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]
    #[test]
    fn the_invariants_hold(
        slots in 1_u16..4,
        max_jobs in prop::option::weighted(0.2, 1_u64..30),
        steps in prop::collection::vec(any_step(), 0..400),
    ) {
        run(slots, max_jobs, steps);
    }

    /// Whatever went before: once the master answers again and handlers end, every job that was started is answered, and a drain
    /// ends the worker.
    #[test]
    fn everything_ends_when_faults_end(
        slots in 1_u16..4,
        steps in prop::collection::vec(any_step(), 0..200),
    ) {
        let mut worker = Driven::new(config(slots));
        let mut busy = Vec::new();
        let mut queue = worker.outputs();
        let mut steps = steps.into_iter();
        let mut session = SESSION;
        for round in 0.. {
            prop_assert!(round < 1000, "the worker does not come to an end");
            for output in std::mem::take(&mut queue) {
                match output {
                    Output::Start { slot, .. } => busy.push(slot),
                    Output::Exit(_) => return Ok(()),
                    _ => {}
                }
            }
            queue = match steps.next() {
                Some(Step::Message(message)) => worker.message(relabel(message, session)),
                Some(Step::Deadline) => worker.pass(HEARTBEAT),
                Some(_) => continue,
                None if worker.state() == State::Registering => {
                    session += 1;
                    worker.registered(session)
                }
                None if worker.state() == State::Backoff => worker.pass(Duration::from_secs(5)),
                None => match busy.pop() {
                    Some(slot) => worker.finished(slot),
                    None => {
                        let told = worker.hand_in(Input::Drain);
                        let session = worker.session.id();
                        [told, worker.message(ToWorker::Drain { session })].concat()
                    }
                },
            };
        }
    }
}
