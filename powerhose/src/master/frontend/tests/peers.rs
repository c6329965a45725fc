//! What peers do that are no good clients, or no clients.

use super::*;
use crate::wire::{DisconnectReason, VERSION, WireError};

#[test]
fn a_peer_of_another_version_is_told_which_ones_are_spoken() {
    let mut master = Driven::new();
    let actions = master.handle(FrontendEvent::Malformed {
        connection: 9,
        error: WireError::Version { version: 2 },
    });
    let [
        FrontendAction::Send {
            connection: 9,
            message:
                ToClient::Rejected {
                    session: 0,
                    reason: RejectReason::UnsupportedVersion,
                    rejection,
                },
        },
    ] = &actions[..]
    else {
        panic!("{actions:?}");
    };
    assert_eq!(rejection.versions, [VERSION]);
    let counters = master.core.counters();
    assert_eq!((counters.malformed, counters.rejected), (1, 1));
}

#[test]
fn nonsense_over_the_connection_of_a_client_costs_it_nothing() {
    let mut master = Driven::new();
    let session = master.open(1);
    for (error, reason) in [
        (WireError::ShortHeader { len: 3 }, RejectReason::Malformed),
        (
            WireError::UnknownCommand { command: 1 },
            RejectReason::UnknownCommand,
        ),
        (
            WireError::TooLarge {
                part: "control body",
                len: 2,
                limit: 1,
            },
            RejectReason::TooLarge,
        ),
    ] {
        let connection = 1;
        let actions = master.handle(FrontendEvent::Malformed { connection, error });
        assert_eq!(rejected(&actions), [(1, 0, reason)]);
    }
    master.take(1, session, 1);
}

#[test]
fn messages_of_a_session_that_there_is_not_are_refused() {
    let mut master = Driven::new();
    let session = 0x5eed;
    let reason = RejectReason::UnknownSession;
    let refused = [(1, session, reason)];
    let message = heartbeat(session, 0);
    assert_eq!(rejected(&master.receive(1, message)), refused);
    assert_eq!(rejected(&master.submit(1, session, 1)), refused);
    let sequence = 1;
    let message = FromClient::Withdraw { session, sequence };
    assert_eq!(rejected(&master.receive(1, message)), refused);
    let reason = DisconnectReason::Shutdown;
    let message = FromClient::Disconnect { session, reason };
    assert_eq!(master.receive(1, message), []);
    assert_eq!(master.core.counters().unknown_sessions, 3);
}

#[test]
fn a_session_is_ended_only_over_its_own_connection() {
    let mut master = Driven::new();
    let session = master.open(1);
    let job = master.take(1, session, 1);
    let reason = DisconnectReason::Shutdown;
    let message = FromClient::Disconnect { session, reason };
    assert_eq!(master.receive(2, message.clone()), []);
    let ticket = job;
    assert_eq!(
        master.receive(1, message),
        [FrontendAction::Cancel { ticket }]
    );
    assert_eq!(master.core.counters().left, 1);
}

#[test]
fn operators_get_reports_and_need_no_session() {
    let mut master = Driven::new();
    master.open(1);
    for connection in [8, 1] {
        let actions = master.receive(connection, FromClient::Status);
        assert_eq!(actions, [FrontendAction::Report { connection }]);
    }
    assert_eq!(master.core.clients(master.now).len(), 1);
    master.handle(FrontendEvent::Drain);
    let actions = master.receive(8, FromClient::Status);
    assert_eq!(actions, [FrontendAction::Report { connection: 8 }]);
}

#[test]
fn a_heartbeat_is_answered() {
    let mut master = Driven::new();
    let session = master.open(1);
    let actions = master.receive(1, heartbeat(session, 0));
    assert_eq!(actions, [sent(1, ToClient::Heartbeat { session })]);
}

#[test]
fn a_client_that_does_not_read_is_dismissed() {
    let mut master = Driven::new();
    let session = master.open(1);
    let ticket = master.take(1, session, 1);
    let actions = master.handle(FrontendEvent::Overflow { connection: 1 });
    let reason = DisconnectReason::Overflow;
    assert_eq!(
        actions,
        [
            sent(1, ToClient::Disconnect { session, reason }),
            FrontendAction::Cancel { ticket },
        ]
    );
    assert_eq!(master.handle(FrontendEvent::Overflow { connection: 1 }), []);
    assert_eq!(master.core.counters().overflowed, 1);
}

#[test]
fn when_some_connection_closes_all_clients_are_written_to() {
    let mut master = Driven::new();
    let [one, other, away] = [1, 2, 3].map(|connection| master.open(connection));
    master.lose(3);
    assert_eq!(master.handle(FrontendEvent::Disconnection), []);
    let actions = master.pass(HEARTBEAT / 10);
    for (connection, session) in [(1, one), (2, other)] {
        let probe = sent(connection, ToClient::Heartbeat { session });
        let probes = actions.iter().filter(|action| **action == probe).count();
        assert!(probes > 1, "the first one may be taken by a dying socket");
    }
    let to_nobody = ToClient::Heartbeat { session: away };
    assert!(!actions.contains(&sent(3, to_nobody)));
    master.lose(2);
    assert_eq!(master.core.counters().lost, 2);
    assert_eq!(master.pass(HEARTBEAT / 10), [], "the probes are over");
}

#[test]
fn a_connection_that_was_nobodys_may_go() {
    let mut master = Driven::new();
    let session = master.open(1);
    assert_eq!(master.lose(8), []);
    master.take(1, session, 1);
    assert_eq!(master.core.counters().lost, 0);
}
