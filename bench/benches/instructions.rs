//! Instructions, which unlike time are the same whatever else the machine does: a guard against jobs that become dearer unnoticed.
//!
//! Each limit is what was counted when it was last set, and a tenth more, since compilers differ. Whoever has a reason
//! to exceed one raises it in the same change.

#![expect(
    missing_docs,
    unused_qualifications,
    reason = "the macros make public items, and name ours by their paths"
)]

use std::hint::black_box;

use bench::desk::Desk;
use gungraun::{
    Callgrind, EventKind, LibraryBenchmarkConfig, library_benchmark, library_benchmark_group, main,
};
use powerhose::Bytes;
use powerhose::wire::limits::DEFAULT_MAX_BODY;
use powerhose::wire::{Encoded, FromWorker, JobKey, ResultCode, ToWorker};

/// Enough that what happens once in a while is counted with its share.
const JOBS: usize = 1000;

fn limit(instructions_per_job: u64) -> LibraryBenchmarkConfig {
    let limit = instructions_per_job * JOBS as u64;
    LibraryBenchmarkConfig::default()
        .tool(Callgrind::default().hard_limits([(EventKind::Ir, limit)]))
        .clone()
}

#[library_benchmark]
#[bench::one_worker(args = (1, 0), setup = Desk::new, config = limit(4_800))]
#[bench::two_thousand_workers(args = (2_000, 0), setup = Desk::new, config = limit(5_750))]
#[bench::fifty_thousand_waiting(args = (1, 50_000), setup = Desk::new, config = limit(4_730))]
#[bench::crowded(args = (2_000, 50_000), setup = Desk::new, config = limit(5_550))]
fn core(mut desk: Desk) -> Desk {
    for _ in 0..JOBS {
        desk.job();
    }
    // Given back, so that taking it apart is not counted.
    desk
}

const KEY: JobKey = JobKey {
    job: 1 << 32,
    attempt: 1,
};

/// The way of a job over the wire and of its result back, each written once and read once.
fn messages(size: usize) -> (ToWorker, FromWorker) {
    let body = Bytes::from(vec![7; size]);
    let job = ToWorker::Job {
        session: 0x5eed,
        key: KEY,
        service: 0,
        budget_ms: 30_000,
        body: body.clone(),
        metadata: None,
    };
    let result = FromWorker::Result {
        session: 0x5eed,
        key: KEY,
        code: ResultCode::Ok,
        elapsed_us: 31,
        body,
    };
    (job, result)
}

/// As a socket would give them.
fn frames(first: &[u8], rest: Encoded) -> [Option<Bytes>; 3] {
    [
        Some(Bytes::copy_from_slice(first)),
        rest.body,
        rest.metadata,
    ]
}

#[library_benchmark]
#[bench::small(args = (64), setup = messages, config = limit(2_750))]
#[bench::large(args = (65_536), setup = messages, config = limit(2_300))]
fn codec((job, result): (ToWorker, FromWorker)) {
    let mut first = Vec::with_capacity(2048);
    let mut received = Vec::with_capacity(3);
    for _ in 0..JOBS {
        let rest = job.clone().encode(&mut first);
        received.extend(frames(&first, rest).into_iter().flatten());
        assert!(black_box(ToWorker::decode(&mut received, DEFAULT_MAX_BODY)).is_ok());
        received.clear();
        let rest = result.clone().encode(&mut first);
        received.extend(frames(&first, rest).into_iter().flatten());
        assert!(black_box(FromWorker::decode(&mut received, DEFAULT_MAX_BODY)).is_ok());
        received.clear();
    }
}

library_benchmark_group!(name = group, benchmarks = [core, codec]);
main!(library_benchmark_groups = group);
