use powerhose::Time;
use powerhose::master::frontend::{Frontend, FrontendAction, FrontendConfig, FrontendEvent};
use powerhose::wire::limits::{REGISTER_BURST, REGISTER_INTERVAL, SESSION_BURST, SESSION_INTERVAL};
use powerhose::wire::{FromClient, Open, RejectReason, ToClient};

use super::support::{Bench, offering, registration};

#[test]
fn a_worker_that_registers_in_a_loop_is_slowed_and_keeps_its_session() {
    let mut bench = Bench::new();
    let other = bench.worker();
    let peer = bench.fresh_peer();
    // Each other offer is another session, over the same connection.
    let offers = ["a", "b"].map(|name| offering(&[name]));
    let mut accepted = Vec::new();
    for turn in 0..100 {
        accepted.extend(bench.register(peer, 0, offers[turn % 2].clone()));
    }
    // The first one begins the session and is not counted among those over its connection.
    assert_eq!(accepted.len(), 1 + REGISTER_BURST as usize);
    let reasons = bench.rejections();
    assert_eq!(reasons, vec![RejectReason::TooManyWorkers; reasons.len()]);
    let stats = bench.master.stats();
    assert_eq!(
        stats.counters.throttled,
        100 - 1 - u64::from(REGISTER_BURST)
    );
    assert_eq!(stats.workers, 2, "the last session lives");
    let (session, _) = accepted.last().expect("some");
    assert!(bench.master.worker_state(*session).is_some());

    // Others notice nothing.
    bench.heartbeat(other);
    assert_eq!(bench.heartbeats(), [other.peer]);
    bench.worker();
    bench.advance(REGISTER_INTERVAL);
    assert!(bench.register(peer, 0, registration()).is_some());
    assert!(bench.register(peer, 0, registration()).is_none());
}

#[test]
fn a_session_that_moves_from_connection_to_connection_is_slowed() {
    let mut bench = Bench::new();
    let worker = bench.worker();
    let resumed = (0..100).filter(|_| {
        let peer = bench.fresh_peer();
        (bench.register(peer, worker.session, registration())).is_some()
    });
    assert_eq!(resumed.count(), REGISTER_BURST as usize);
}

#[test]
fn connections_that_come_and_go_leave_room_for_others() {
    let mut bench = Bench::new();
    let mut begun = 0;
    for _ in 0..SESSION_BURST + 100 {
        let peer = bench.fresh_peer();
        if let Some((session, _)) = bench.register(peer, 0, registration()) {
            begun += 1;
            bench.disconnect(super::support::Player { peer, session });
        }
        bench.take();
    }
    assert_eq!(begun, SESSION_BURST);
    bench.advance(SESSION_INTERVAL);
    let peer = bench.fresh_peer();
    assert!(bench.register(peer, 0, registration()).is_some());
    bench.advance(SESSION_INTERVAL * 2500);
    for _ in 0..2500 {
        bench.worker();
        bench.take();
    }
}

fn open(frontend: &mut Frontend, connection: u64, now: Time) -> Result<u64, RejectReason> {
    let message = FromClient::Open {
        session: 0,
        open: Open {
            pid: 1,
            host: String::new(),
            implementation: String::new(),
            received: 0,
        },
    };
    let event = FrontendEvent::Message {
        connection,
        message,
    };
    frontend.handle(event, now);
    let answer = std::iter::from_fn(|| frontend.poll_action()).find_map(|action| match action {
        FrontendAction::Send { message, .. } => Some(message),
        _ => None,
    });
    match answer {
        Some(ToClient::Opened { session, .. }) => Ok(session),
        Some(ToClient::Rejected { reason, .. }) => Err(reason),
        other => panic!("neither nor: {other:?}"),
    }
}

#[test]
fn a_client_that_opens_in_a_loop_is_slowed_and_keeps_its_session() {
    let mut frontend = Frontend::new(FrontendConfig::default(), 7);
    let now = Time::from_nanos(1);
    let session = open(&mut frontend, 1, now).expect("a session");
    for _ in 0..REGISTER_BURST {
        assert_eq!(open(&mut frontend, 1, now), Ok(session));
    }
    for _ in 0..100 {
        assert_eq!(
            open(&mut frontend, 1, now),
            Err(RejectReason::TooManyClients)
        );
    }
    assert_eq!(frontend.counters().throttled, 100);
    open(&mut frontend, 2, now).expect("another one is served");
    let later = now + REGISTER_INTERVAL;
    assert_eq!(open(&mut frontend, 1, later), Ok(session));
}

#[test]
fn clients_that_come_and_go_leave_room_for_others() {
    let mut frontend = Frontend::new(FrontendConfig::default(), 7);
    let now = Time::from_nanos(1);
    let mut begun = 0;
    for connection in 0..u64::from(SESSION_BURST) + 100 {
        if let Ok(session) = open(&mut frontend, connection, now) {
            begun += 1;
            let reason = powerhose::wire::DisconnectReason::Shutdown;
            let message = FromClient::Disconnect { session, reason };
            let event = FrontendEvent::Message {
                connection,
                message,
            };
            frontend.handle(event, now);
        }
    }
    assert_eq!(begun, SESSION_BURST);
    assert!(open(&mut frontend, u64::MAX, now + SESSION_INTERVAL).is_ok());
}
