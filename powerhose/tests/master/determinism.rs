use powerhose::Time;
use powerhose::master::{Action, Config, Event, Master, Peer, Ticket};
use powerhose::wire::{FromWorker, ResultCode, ToWorker};

use super::support::{Bench, ms, registration, us};

fn story() -> (Vec<Action>, String) {
    let mut bench = Bench::new();
    let workers = [(); 3].map(|()| bench.worker());
    let mut log = Vec::new();
    for round in 0..200_u64 {
        let mut new = bench.new_job();
        new.attempt_timeout = (round % 7 == 0).then(|| ms(3));
        new.at_most_once = round % 5 == 0;
        bench.submit(new);
        if round % 11 == 0 {
            bench.cancel(Ticket(round / 2));
        }
        bench.advance(us(700));
        for action in bench.take() {
            if let Action::Send {
                peer,
                message: ToWorker::Job { key, .. },
            } = &action
                && key.job % 3 != 0
                && let Some(worker) = workers.iter().find(|worker| worker.peer == *peer)
            {
                bench.result(*worker, *key, ResultCode::Ok, "done".into());
            }
            log.push(action);
        }
        if round == 100 {
            bench.lose(workers[1]);
        }
    }
    (log, format!("{:?}", bench.master.stats().counters))
}

#[test]
fn the_same_events_give_the_same_actions() {
    assert_eq!(story(), story());
}

#[test]
fn sessions_come_from_the_seed() {
    let session = |seed| {
        let mut master = Master::new(Config::default(), seed);
        let register = registration();
        let message = FromWorker::Register {
            session: 0,
            register,
        };
        let peer = Peer::Backend(1);
        master.handle(Event::Message { peer, message }, Time::ZERO);
        format!("{:?}", master.poll_action())
    };
    assert_eq!(session(1), session(1));
    assert_ne!(session(1), session(2));
}
