//! A job's way to a worker process and back: embedded and through the standalone master, over ipc and tcp, with payloads of all
//! sizes, few and many jobs in flight, one worker and several.

#![forbid(unsafe_code)]

use std::process::ExitCode;
use std::time::{Duration, Instant};

use bench::{Master, Service, Transport};
use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput};
use powerhose::Bytes;

const WORKERS: [usize; 2] = [1, 4];

const SIZES: [(&str, usize); 4] = [
    ("64 B", 64),
    ("1 KiB", 1 << 10),
    ("64 KiB", 64 << 10),
    ("1 MiB", 1 << 20),
];

const IN_FLIGHT: [u64; 3] = [1, 64, 256];

fn main() -> ExitCode {
    if let Some(exit) = bench::worker() {
        return exit;
    }
    // There are 96 of them.
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(800))
        .configure_from_args();
    for master in [Master::Embedded, Master::Standalone] {
        for transport in [Transport::Ipc, Transport::Tcp] {
            for workers in WORKERS {
                round_trips(&mut criterion, master, transport, workers);
            }
        }
    }
    criterion.final_summary();
    ExitCode::SUCCESS
}

fn round_trips(criterion: &mut Criterion, master: Master, transport: Transport, workers: usize) {
    let service = Service::start(master, transport, workers);
    let name = format!("{master}, {transport}, {workers} workers");
    let mut group = criterion.benchmark_group(name);
    group.sampling_mode(SamplingMode::Flat);
    group.throughput(Throughput::Elements(1));
    for (size, bytes) in SIZES {
        let body = Bytes::from(vec![7; bytes]);
        for in_flight in IN_FLIGHT {
            let id = BenchmarkId::new(size, format!("{in_flight} in flight"));
            group.bench_function(id, |bencher| {
                bencher.iter_custom(|jobs| {
                    let start = Instant::now();
                    service.run(jobs, in_flight, &body);
                    start.elapsed()
                });
            });
        }
    }
    group.finish();
}
