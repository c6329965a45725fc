use powerhose::master::{Action, Event, NewJob, Peer, WorkerState};
use powerhose::wire::{DisconnectReason, FromWorker, Register, RejectReason, ToWorker};
use powerhose::{ExecuteError, Started};

use super::support::{Bench, Player, ms, registration};

fn farewell(worker: Player) -> Action {
    Action::Send {
        peer: worker.peer,
        message: ToWorker::Disconnect {
            session: worker.session,
            reason: DisconnectReason::Shutdown,
        },
    }
}

#[test]
fn a_draining_worker_gets_no_more_jobs_and_finishes_what_it_has() {
    let mut bench = Bench::new();
    let worker = bench.worker();
    let ticket = bench.submit_plain();
    let job = bench.job();
    bench.drain_worker(worker);
    assert_eq!(
        bench.master.worker_state(worker.session),
        Some(WorkerState::Draining)
    );
    bench.finish(worker, job.key, ms(1));
    bench.outcome(ticket).expect("a result");
    bench.submit_plain();
    assert_eq!(bench.jobs(), []);
    bench.disconnect(worker);
    assert_eq!(bench.master.stats().workers, 0);
}

#[test]
fn what_a_draining_worker_hands_back_goes_to_another() {
    let mut bench = Bench::new();
    let worker = bench.worker();
    bench.submit_plain();
    let job = bench.job();
    let other = bench.worker();
    bench.drain_worker(worker);
    bench.take();
    bench.return_job(worker, job.key);
    assert_eq!(bench.job().session, other.session);
}

#[test]
fn a_draining_master_refuses_new_jobs_finishes_the_others_and_tells_the_workers() {
    let mut bench = Bench::new();
    let worker = bench.worker();
    bench.submit_plain();
    bench.submit_plain();
    let first = bench.job();
    bench.event(Event::Drain);
    assert_eq!(bench.take(), []);
    let late = bench.submit_plain();
    let started = Started::No;
    assert_eq!(
        bench.outcome(late),
        Err(ExecuteError::ShuttingDown { started })
    );
    bench.finish(worker, first.key, ms(1));
    let second = bench.job();
    bench.finish(worker, second.key, ms(1));
    let actions = bench.take();
    assert_eq!(actions[1..], [farewell(worker), Action::Drained]);
    assert_eq!(bench.master.stats().workers, 0);
}

#[test]
fn a_draining_master_takes_workers_for_the_jobs_that_wait() {
    let mut bench = Bench::new();
    bench.submit_plain();
    bench.event(Event::Drain);
    let worker = bench.worker();
    let job = bench.job();
    bench.finish(worker, job.key, ms(1));
    assert_eq!(bench.take().last(), Some(&Action::Drained));
}

#[test]
fn a_draining_master_is_done_when_the_last_job_is_cancelled_or_late() {
    let mut bench = Bench::new();
    let ticket = bench.submit_plain();
    let mut new = bench.new_job();
    new.deadline = bench.now + ms(100);
    bench.submit(new);
    bench.event(Event::Drain);
    bench.cancel(ticket);
    assert_eq!(bench.take(), []);
    bench.advance(ms(100));
    assert_eq!(bench.take().last(), Some(&Action::Drained));
}

#[test]
fn an_idle_master_drains_at_once_and_once() {
    let mut bench = Bench::new();
    let worker = bench.worker();
    bench.take();
    bench.event(Event::Drain);
    assert_eq!(bench.take(), [farewell(worker), Action::Drained]);
    bench.event(Event::Drain);
    bench.event(Event::Stop);
    assert_eq!(bench.take(), []);
}

#[test]
fn a_stopped_master_fails_what_is_left_and_says_what_may_have_started() {
    let mut bench = Bench::new();
    let worker = bench.worker();
    let at_worker = bench.submit_plain();
    let waiting = bench.submit_plain();
    bench.take();
    bench.event(Event::Stop);
    let actions = bench.take();
    let outcome = |ticket| {
        actions.iter().find_map(|action| match action {
            Action::Complete {
                ticket: whose,
                result,
            } if *whose == ticket => Some(result.clone()),
            _ => None,
        })
    };
    let shutting_down = |started| Some(Err(ExecuteError::ShuttingDown { started }));
    assert_eq!(outcome(at_worker), shutting_down(Started::Maybe));
    assert_eq!(outcome(waiting), shutting_down(Started::No));
    assert_eq!(
        actions[actions.len() - 2..],
        [farewell(worker), Action::Drained]
    );
}

#[test]
fn a_stopped_master_refuses_workers() {
    let mut bench = Bench::new();
    bench.event(Event::Stop);
    bench.take();
    let peer = bench.fresh_peer();
    assert_eq!(bench.register(peer, 0, registration()), None);
    assert_eq!(bench.rejections(), [RejectReason::Draining]);
}

#[test]
fn who_ends_the_last_job_by_registering_anew_finds_the_master_ended() {
    let mut bench = Bench::new();
    let worker = bench.worker();
    let job = bench.new_job();
    let ticket = bench.submit(NewJob {
        at_most_once: true,
        ..job
    });
    bench.job();
    bench.event(Event::Drain);
    bench.take();
    let register = Register {
        services: vec!["another".to_owned()],
        ..registration()
    };
    let session = worker.session;
    bench.message(worker.peer, FromWorker::Register { session, register });
    let actions = bench.take();
    let attempts = 1;
    assert!(actions.contains(&Action::Complete {
        ticket,
        result: Err(ExecuteError::WorkerLost { attempts })
    }));
    assert!(actions.contains(&Action::Drained));
    let last = actions.last();
    assert!(
        matches!(last, Some(Action::Send { peer, message: ToWorker::Rejected { reason: RejectReason::Draining, .. } }) if *peer == worker.peer),
        "{actions:?}"
    );
    assert_eq!(bench.master.stats().workers, 0);
}

#[test]
fn a_worker_that_drains_is_told_where_its_jobs_go_that_no_more_come() {
    for (socket, by_socket) in [(None, false), (Some("/run/powerhose/w1".to_owned()), true)] {
        let mut bench = Bench::new();
        let worker = bench.worker_with(Register {
            socket,
            ..registration()
        });
        bench.take();
        bench.drain_worker(worker);
        let peer = if by_socket {
            Peer::Socket(1)
        } else {
            worker.peer
        };
        let session = worker.session;
        let answer = Action::Send {
            peer,
            message: ToWorker::Drain { session },
        };
        assert_eq!(bench.take(), [answer]);
    }
}

#[test]
fn a_job_that_a_worker_left_with_has_had_an_attempt_whatever_it_says() {
    for reason in [DisconnectReason::Drained, DisconnectReason::Shutdown] {
        let mut bench = Bench::new();
        let leaving = bench.worker();
        let job = NewJob {
            attempts: 1,
            ..bench.new_job()
        };
        let ticket = bench.submit(job);
        bench.job();
        bench.worker();
        let session = leaving.session;
        bench.message(leaving.peer, FromWorker::Disconnect { session, reason });
        // Its result may have been lost.
        let lost = ExecuteError::WorkerLost { attempts: 1 };
        assert_eq!(bench.outcome(ticket), Err(lost));
    }
}
