use std::time::Duration;

use super::support::{Bench, ms};

/// One significant digit: within a tenth.
fn is_about(micros: u64, duration: Duration) -> bool {
    let expected = u64::try_from(duration.as_micros()).expect("it is short");
    micros.abs_diff(expected) <= expected / 10
}

#[test]
fn latencies_tell_waiting_travelling_and_working_apart() {
    let mut bench = Bench::new();
    bench.submit_plain();
    bench.advance(ms(700));
    let worker = bench.worker();
    let job = bench.job();
    bench.advance(ms(90));
    bench.finish(worker, job.key, ms(40));
    let services = bench.master.stats().services;
    let workers = bench.master.workers(bench.now);
    for latencies in [&services[0].latencies, &workers[0].latencies] {
        let longest = [latencies.queue(), latencies.service(), latencies.transit()];
        // Travelling is what the handler did not take of the time since the job was sent.
        for (histogram, expected) in longest.into_iter().zip([700, 40, 50]) {
            let micros = histogram.max();
            assert!(
                is_about(micros, ms(expected)),
                "{micros} us, not {expected} ms"
            );
        }
    }
}
