use powerhose::master::{Action, Event, Peer};
use powerhose::wire::{CancelReason, FromWorker, Register, ToWorker};

use super::support::{Bench, Player, holding, ms, registration};

fn with_socket() -> Register {
    Register {
        socket: Some("/run/powerhose/w1".to_owned()),
        ..registration()
    }
}

fn connect(socket: u32, peer: Peer) -> Action {
    let path = "/run/powerhose/w1".to_owned();
    Action::Connect { socket, path, peer }
}

#[test]
fn jobs_for_a_worker_with_its_own_socket_go_there() {
    let mut bench = Bench::new();
    let worker = bench.worker_with(with_socket());
    let actions = bench.take();
    assert_eq!(actions[0], connect(1, worker.peer));
    assert!(
        matches!(&actions[1], Action::Send { peer, message: ToWorker::Registered { .. } } if *peer == worker.peer)
    );
    let ticket = bench.submit_plain();
    let job = bench.job();
    assert_eq!(job.peer, Peer::Socket(1));
    let answering = Player {
        peer: Peer::Socket(1),
        ..worker
    };
    bench.finish(answering, job.key, ms(1));
    bench.outcome(ticket).expect("a result");
}

#[test]
fn cancellations_take_the_same_way_as_jobs() {
    let mut bench = Bench::new();
    bench.worker_with(with_socket());
    bench.take();
    let ticket = bench.submit_plain();
    let job = bench.job();
    bench.cancel(ticket);
    assert_eq!(
        bench.cancels(),
        [(Peer::Socket(1), job.key, CancelReason::Caller)]
    );
}

#[test]
fn the_connection_is_closed_with_the_session_whichever_way_it_is_lost() {
    for by_socket in [false, true] {
        let mut bench = Bench::new();
        let worker = bench.worker_with(with_socket());
        bench.take();
        let peer = if by_socket {
            Peer::Socket(1)
        } else {
            worker.peer
        };
        bench.event(Event::Unreachable { peer });
        assert_eq!(bench.take(), [Action::Close { socket: 1 }]);
        assert_eq!(bench.master.stats().workers, 0);
    }
}

#[test]
fn a_resumed_session_gets_a_new_connection_to_the_socket() {
    let mut bench = Bench::new();
    let worker = bench.worker_with(with_socket());
    bench.submit_plain();
    let job = bench.jobs().remove(0);
    let peer = bench.fresh_peer();
    let register = Register {
        socket: with_socket().socket,
        ..holding(&[job.key])
    };
    let session = worker.session;
    bench.message(peer, FromWorker::Register { session, register });
    let actions = bench.take();
    assert_eq!(
        actions[..2],
        [Action::Close { socket: 1 }, connect(2, peer)]
    );
    bench.submit_plain();
    let resumed = Player { peer, session };
    bench.finish(resumed, job.key, ms(1));
    assert_eq!(bench.job().peer, Peer::Socket(2));
}

#[test]
fn connections_are_never_named_twice() {
    let mut bench = Bench::new();
    for socket in 1..4 {
        let worker = bench.worker_with(with_socket());
        assert_eq!(bench.take()[0], connect(socket, worker.peer));
        bench.disconnect(worker);
        assert_eq!(bench.take(), [Action::Close { socket }]);
    }
}
