use powerhose::ExecuteError;
use powerhose::wire::Register;

use super::support::{Bench, ms, offering, registration};

#[test]
fn each_service_has_its_own_queue() {
    let mut bench = Bench::new();
    let mut new = bench.new_job();
    new.service = "slow".into();
    bench.submit(new);
    bench.submit_plain();
    let worker = bench.worker();
    let job = bench.job();
    assert_eq!((job.session, job.service), (worker.session, 0));
    let stats = bench.master.stats();
    let waiting = |name: &str| {
        let service = stats.services.iter().find(|service| &*service.name == name);
        service.expect("known").waiting
    };
    assert_eq!((waiting("slow"), waiting("")), (1, 0));
}

#[test]
fn a_worker_of_several_services_takes_the_oldest_job_of_any() {
    let mut bench = Bench::new();
    for service in ["b", "a", "b"] {
        let mut new = bench.new_job();
        new.service = service.into();
        bench.submit(new);
        bench.advance(ms(1));
    }
    let worker = bench.worker_with(offering(&["a", "b"]));
    let mut order = Vec::new();
    for _ in 0..3 {
        let job = bench.job();
        order.push(job.service);
        bench.finish(worker, job.key, ms(1));
    }
    assert_eq!(order, [1, 0, 1]);
}

#[test]
fn services_out_of_use_make_room_for_others() {
    let mut bench = Bench::new();
    for number in 0..5000 {
        let mut new = bench.new_job();
        new.service = format!("service-{number}").into();
        let ticket = bench.submit(new);
        bench.cancel(ticket);
    }
    assert_eq!(bench.outcomes(), []);
    assert!(bench.master.stats().services.len() <= 1024);
}

#[test]
fn services_in_use_do_not_make_room() {
    let mut bench = Bench::new();
    for number in 0..1024 {
        let mut new = bench.new_job();
        new.service = format!("service-{number}").into();
        bench.submit(new);
    }
    let ticket = bench.submit_plain();
    assert!(matches!(
        bench.outcome(ticket),
        Err(ExecuteError::NoWorkers { .. })
    ));
    let peer = bench.fresh_peer();
    assert_eq!(bench.register(peer, 0, registration()), None);
}

#[test]
fn a_registration_never_gives_two_of_its_services_the_same_place() {
    let mut bench = Bench::new();
    let mut tickets = Vec::new();
    for number in 0..1024 {
        let mut new = bench.new_job();
        new.service = format!("service-{number}").into();
        tickets.push(bench.submit(new));
    }
    // One place is left, two are needed.
    bench.cancel(tickets[0]);
    let peer = bench.fresh_peer();
    assert_eq!(bench.register(peer, 0, offering(&["one", "two"])), None);
    bench.cancel(tickets[1]);
    let register = Register {
        slots: 2,
        ..offering(&["one", "two"])
    };
    bench.register(peer, 0, register).expect("accepted");
    bench.take();
    for service in ["two", "one"] {
        let mut new = bench.new_job();
        new.service = service.into();
        bench.submit(new);
    }
    let indices: Vec<u16> = bench.jobs().iter().map(|job| job.service).collect();
    assert_eq!(indices, [1, 0]);
}
