//! Instructions, which unlike time are the same whatever else the machine does: a guard against jobs that become dearer unnoticed.
//!
//! Each limit is what was counted when it was last set, and a tenth more, since compilers differ. Whoever has a reason
//! to exceed one raises it in the same change.

#![expect(missing_docs, reason = "the macros make public items")]

use bench::desk::Desk;
use gungraun::{
    Callgrind, EventKind, LibraryBenchmarkConfig, library_benchmark, library_benchmark_group, main,
};

/// Enough that what happens once in a while is counted with its share.
const JOBS: usize = 1000;

fn limit(instructions_per_job: u64) -> LibraryBenchmarkConfig {
    let limit = instructions_per_job * JOBS as u64;
    LibraryBenchmarkConfig::default()
        .tool(Callgrind::default().hard_limits([(EventKind::Ir, limit)]))
        .clone()
}

#[library_benchmark]
#[bench::one_worker(args = (1, 0), setup = Desk::new, config = limit(4_400))]
#[bench::two_thousand_workers(args = (2_000, 0), setup = Desk::new, config = limit(6_200))]
#[bench::fifty_thousand_waiting(args = (1, 50_000), setup = Desk::new, config = limit(4_550))]
#[bench::crowded(args = (2_000, 50_000), setup = Desk::new, config = limit(6_200))]
fn core(mut desk: Desk) -> Desk {
    for _ in 0..JOBS {
        desk.job();
    }
    // Given back, so that taking it apart is not counted.
    desk
}

library_benchmark_group!(name = group, benchmarks = core);
main!(library_benchmark_groups = group);
