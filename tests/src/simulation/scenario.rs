//! What a seed stands for: the settings, the workers, the work and the faults of one run.

use std::time::Duration;

use powerhose::master::Config;
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{Rng, RngExt};

use super::faults::Fault;

/// The jobs of each run, not counting those of a flood of services.
pub(super) const JOBS: u32 = 500;

/// The names of services. A scenario uses the first few.
pub(super) const SERVICES: [&str; 4] = ["", "hash", "sign", "render"];

/// A worker as its process is started, again and again.
#[derive(Debug, Clone)]
pub(super) struct WorkerPlan {
    pub(super) services: Vec<u8>,
    pub(super) slots: u16,
    pub(super) own_socket: bool,
    pub(super) max_jobs: Option<u64>,
    pub(super) max_age: Option<Duration>,
    pub(super) reconnect_limit: Duration,
}

/// How long the jobs of a service take: at random between these.
#[derive(Debug, Clone, Copy)]
pub(super) struct Takes {
    pub(super) least: Duration,
    pub(super) most: Duration,
}

/// One run.
#[derive(Debug, Clone)]
pub(super) struct Scenario {
    pub(super) config: Config,
    pub(super) workers: Vec<WorkerPlan>,
    pub(super) services: Vec<Takes>,
    /// Faults, at least three kinds of them.
    pub(super) faults: Vec<Fault>,
    /// How long faults happen and jobs come.
    pub(super) chaos: Duration,
    /// The bursts in which jobs come.
    pub(super) bursts: Vec<u32>,
    /// At most this much between two jobs of a burst.
    pub(super) gap: Duration,
    pub(super) deadline: (Duration, Duration),
    /// One job in so many has an attempt timeout, and that is between these.
    pub(super) attempt_timeout_in: u32,
    pub(super) attempt_timeout: (Duration, Duration),
    pub(super) at_most_once_in: u32,
    /// One in so many is cancelled, poison, long.
    pub(super) cancelled_in: u32,
    pub(super) poison_in: u32,
    pub(super) long_in: u32,
    pub(super) failing_in: u32,
    /// How long a message takes.
    pub(super) latency: (Duration, Duration),
    /// After how long a connection that carries nothing is given up.
    pub(super) heartbeats_missed: Duration,
    /// Messages that wait for a worker that does not read.
    pub(super) outbox: usize,
    /// Whether messages are written to bytes and read again on their way.
    pub(super) as_bytes: bool,
    /// How late the master's process is woken at most.
    pub(super) late_wake: Duration,
}

impl Scenario {
    pub(super) fn new(random: &mut SmallRng) -> Self {
        let faults = choose_faults(random);
        let has = |fault| faults.contains(&fault);
        let heartbeat = pick(random, &[100, 200, 500, 500, 1000]);
        let fast = random.random_ratio(1, 2);
        let service_count = random.random_range(1..=if fast { 2 } else { SERVICES.len() });
        let services = (0..service_count).map(|_| takes(random, fast)).collect();
        let worker_count = random.random_range(2..=5);
        let workers: Vec<WorkerPlan> = (0..worker_count)
            .map(|number| worker(random, number, service_count))
            .collect();
        let max_workers = if random.random_ratio(1, 16) {
            workers.len() - 1
        } else {
            64
        };
        // A flood needs room for all of it.
        let flood = has(Fault::ServiceFlood);
        let crowded = !flood && (has(Fault::Burst) || random.random_ratio(1, 4));
        let config = Config {
            heartbeat: Duration::from_millis(heartbeat),
            misses: random.random_range(3..=4),
            max_body: 256,
            max_queue_jobs: if crowded {
                random.random_range(2..=40)
            } else {
                5000
            },
            max_queue_bytes: if crowded && random.random() {
                random.random_range(100..=2000)
            } else {
                1 << 20
            },
            max_workers,
            max_prefetch: pick(random, &[0, 1, 4, 4, 16]),
            prefetch_window: Duration::from_millis(1),
            recall_after: Duration::from_millis(pick(random, &[10, 50, 50, 200])),
        };
        let one_in = |random: &mut SmallRng, fault, from, to| {
            if has(fault) {
                random.random_range(from..=to)
            } else {
                u32::MAX
            }
        };
        Self {
            config,
            workers,
            services,
            chaos: Duration::from_millis(random.random_range(3000..=9000)),
            bursts: bursts(random, has(Fault::Burst)),
            gap: Duration::from_micros(pick(random, &[0, 20, 200, 2000])),
            deadline: pick(
                random,
                &[
                    (Duration::from_millis(20), Duration::from_millis(2000)),
                    (Duration::from_millis(500), Duration::from_secs(10)),
                    (Duration::from_secs(5), Duration::from_secs(15)),
                ],
            ),
            attempt_timeout_in: pick(random, &[2, 4, 10, u32::MAX]),
            attempt_timeout: (
                Duration::from_millis(if fast { 3 } else { 30 }),
                Duration::from_millis(1500),
            ),
            at_most_once_in: pick(random, &[3, 8, u32::MAX]),
            cancelled_in: one_in(random, Fault::Cancellation, 4, 30),
            poison_in: one_in(random, Fault::Poison, 60, 250),
            long_in: one_in(random, Fault::LongJob, 30, 200),
            failing_in: random.random_range(5..=50),
            latency: (
                Duration::from_micros(random.random_range(5..=50)),
                Duration::from_micros(random.random_range(50..=1000)),
            ),
            heartbeats_missed: Duration::from_millis(heartbeat * random.random_range(2..=12)),
            outbox: if has(Fault::Overflow) {
                random.random_range(2..=12)
            } else {
                8192
            },
            as_bytes: random.random_ratio(1, 4),
            late_wake: if has(Fault::LateWake) {
                Duration::from_micros(random.random_range(100..=20_000))
            } else {
                Duration::ZERO
            },
            faults,
        }
    }
}

/// At least three kinds of those that are sure to happen, and some of any kind. A flood costs as much as two other runs, so
/// it is rare.
fn choose_faults(random: &mut SmallRng) -> Vec<Fault> {
    let happening: Vec<Fault> = (Fault::ALL.iter().copied())
        .filter(|fault| fault.is_sure())
        .collect();
    let mut faults: Vec<Fault> = happening.sample(random, 3).copied().collect();
    for _ in 0..random.random_range(0..=4) {
        let another = pick(random, Fault::ALL);
        // A worker knows a repeated job again as long as there have not been a thousand others: not after a flood.
        let rare = another == Fault::ServiceFlood
            && (faults.contains(&Fault::Duplication) || !random.random_ratio(1, 4))
            || another == Fault::Duplication && faults.contains(&Fault::ServiceFlood);
        if !rare && !faults.contains(&another) {
            faults.push(another);
        }
    }
    faults
}

fn takes(random: &mut SmallRng, fast: bool) -> Takes {
    let least = if fast {
        random.random_range(2..=200)
    } else {
        random.random_range(1_000..=20_000)
    };
    Takes {
        least: Duration::from_micros(least),
        most: Duration::from_micros(least * random.random_range(1..=4)),
    }
}

fn worker(random: &mut SmallRng, number: usize, service_count: usize) -> WorkerPlan {
    // The first one offers everything, so that no service is without a worker for good.
    let mut services: Vec<u8> = (0..)
        .take(service_count)
        .filter(|_| number == 0 || random.random_ratio(2, 3))
        .collect();
    if services.is_empty() {
        services.push(0);
    }
    WorkerPlan {
        services,
        slots: pick(random, &[1, 1, 1, 2, 4]),
        own_socket: random.random_ratio(1, 5),
        max_jobs: random
            .random_ratio(1, 12)
            .then(|| random.random_range(20..=200)),
        max_age: random
            .random_ratio(1, 12)
            .then(|| Duration::from_millis(random.random_range(500..=5000))),
        reconnect_limit: Duration::from_millis(pick(random, &[300, 2500, 60_000, 60_000])),
    }
}

/// The sizes of the bursts that make up all jobs.
fn bursts(random: &mut SmallRng, large: bool) -> Vec<u32> {
    let most = if large {
        150
    } else {
        pick(random, &[3, 20, 60])
    };
    let mut left = JOBS;
    let mut bursts = Vec::new();
    while left > 0 {
        let size = random.random_range(1..=most).min(left);
        bursts.push(size);
        left -= size;
    }
    bursts
}

pub(super) fn pick<T: Copy>(random: &mut SmallRng, choices: &[T]) -> T {
    choices[random.random_range(0..choices.len())]
}

pub(super) fn between(random: &mut impl Rng, range: (Duration, Duration)) -> Duration {
    if range.0 >= range.1 {
        return range.0;
    }
    random.random_range(range.0..=range.1)
}
