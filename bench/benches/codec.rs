//! What it costs to write a message and to read one.

#![forbid(unsafe_code)]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use powerhose::Bytes;
use powerhose::wire::limits::DEFAULT_MAX_BODY;
use powerhose::wire::{Encoded, FromWorker, JobKey, ResultCode};

const SIZES: [usize; 3] = [64, 1024, 64 * 1024];

fn result(size: usize) -> FromWorker {
    FromWorker::Result {
        session: 0x5eed,
        key: JobKey {
            job: 1 << 32,
            attempt: 1,
        },
        code: ResultCode::Ok,
        elapsed_us: 31,
        body: Bytes::from(vec![7; size]),
    }
}

fn frames(first: &[u8], encoded: Encoded) -> Vec<Bytes> {
    [Bytes::copy_from_slice(first)]
        .into_iter()
        .chain(encoded.body)
        .chain(encoded.metadata)
        .collect()
}

fn codec(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("codec");
    group.throughput(Throughput::Elements(1));
    for size in SIZES {
        let message = result(size);
        let mut first = Vec::with_capacity(2048);
        group.bench_function(BenchmarkId::new("encode RESULT", size), |bencher| {
            bencher.iter(|| {
                first.clear();
                black_box(message.clone().encode(&mut first))
            });
        });
        first.clear();
        let encoded = message.clone().encode(&mut first);
        let wire = frames(&first, encoded);
        group.bench_function(BenchmarkId::new("decode RESULT", size), |bencher| {
            bencher.iter(|| {
                let mut frames = wire.clone();
                black_box(FromWorker::decode(&mut frames, DEFAULT_MAX_BODY))
            });
        });
    }
    group.finish();
}

criterion_group!(benches, codec);
criterion_main!(benches);
