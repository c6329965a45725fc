use powerhose::Time;
use powerhose::master::{Event, Peer};

use super::support::{Bench, ms};

/// When each worker is written to, in milliseconds from now, in the next 100.
fn probes(bench: &mut Bench) -> Vec<(u128, Vec<Peer>)> {
    let start = bench.now;
    let mut probes = Vec::new();
    loop {
        let peers = bench.heartbeats();
        if !peers.is_empty() {
            probes.push((bench.now.since(start).as_millis(), peers));
        }
        let next = bench
            .master
            .next_deadline()
            .unwrap_or(Time::from_nanos(u64::MAX));
        if next.since(start) > ms(100) {
            return probes;
        }
        bench.advance(next.since(bench.now));
    }
}

#[test]
fn a_closed_connection_makes_the_master_write_to_every_worker_four_times() {
    let mut bench = Bench::new();
    let workers = [(); 3].map(|()| bench.worker());
    bench.take();
    bench.event(Event::Disconnection);
    let everybody: Vec<Peer> = workers.iter().map(|worker| worker.peer).collect();
    let expected = [0, 1, 5, 20].map(|at| (at, everybody.clone()));
    assert_eq!(probes(&mut bench), expected);
}

#[test]
fn a_probe_that_cannot_be_delivered_names_the_worker() {
    let mut bench = Bench::new();
    let (dead, alive) = (bench.worker(), bench.worker());
    bench.submit_plain();
    let job = bench.job();
    assert_eq!(job.session, dead.session);
    bench.event(Event::Disconnection);
    bench.advance(ms(0));
    assert_eq!(bench.heartbeats().len(), 2);
    bench.advance(ms(1));
    bench.take();
    bench.lose(dead);
    assert_eq!(bench.job().session, alive.session);
}

#[test]
fn closed_connections_at_the_same_time_are_probed_together() {
    let mut bench = Bench::new();
    bench.worker();
    bench.take();
    for _ in 0..10 {
        bench.event(Event::Disconnection);
    }
    assert_eq!(probes(&mut bench).len(), 4);
}

#[test]
fn another_closed_connection_starts_over_without_a_burst() {
    let mut bench = Bench::new();
    bench.worker();
    bench.take();
    bench.event(Event::Disconnection);
    bench.advance(ms(3));
    assert_eq!(bench.heartbeats().len(), 2);
    bench.event(Event::Disconnection);
    let times: Vec<u128> = probes(&mut bench).iter().map(|(at, _)| *at).collect();
    assert_eq!(times, [0, 1, 5, 20]);
}

#[test]
fn the_exit_of_a_process_is_followed_up_the_same_way() {
    let mut bench = Bench::new();
    bench.worker();
    bench.take();
    bench.event(Event::Exited { pid: 1 });
    assert_eq!(probes(&mut bench).len(), 4);
}

#[test]
fn probing_many_workers_is_spread_out() {
    let mut bench = Bench::new();
    for _ in 0..500 {
        bench.worker();
    }
    bench.take();
    bench.event(Event::Disconnection);
    let times: Vec<u128> = probes(&mut bench).iter().map(|(at, _)| *at).collect();
    assert_eq!(times, [0, 10, 20, 30], "20 us for each worker at least");
}
