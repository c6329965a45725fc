//! What a job costs the master's core, with few and many workers, with and without a queue.

#![forbid(unsafe_code)]

use bench::desk::Desk;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

fn core(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("core, one job in and one result out");
    group.throughput(Throughput::Elements(1));
    for (workers, waiting) in [(1, 0), (2_000, 0), (1, 50_000), (2_000, 50_000)] {
        let mut desk = Desk::new(workers, waiting);
        group.bench_function(
            BenchmarkId::from_parameter(format!("{workers} workers, {waiting} waiting")),
            |bencher| bencher.iter(|| desk.job()),
        );
        assert!(desk.completed() > 0, "the bench did nothing");
    }
    group.finish();
}

criterion_group!(benches, core);
criterion_main!(benches);
