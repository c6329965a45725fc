//! What this project wants to reach, most of it as ratios within one run.

use crate::goal::{Bound, Goal};
use crate::spread::Spread;

use super::break_even::BreakEven;
use super::report::{Measured, Row};

type Figure = fn(&Measured) -> Spread;

/// What is compared, a figure of one system, the same or another one of a second system, and what is wanted of the ratio.
type Wish = (
    &'static str,
    (&'static str, Figure),
    (&'static str, Figure),
    Bound,
);

const EMBEDDED: &str = "powerhose-embedded";
const STANDALONE: &str = "powerhose-standalone";

const WISHES: &[Wish] = &[
    (
        "JobRunner against the bare libzmq ROUTER, 64 in flight",
        (EMBEDDED, |it| it.rate_64),
        ("zmq-router", |it| it.rate_64),
        Bound::AtLeast(0.85),
    ),
    (
        "JobRunner against the bare libzmq ROUTER, 256 in flight",
        (EMBEDDED, |it| it.rate_256),
        ("zmq-router", |it| it.rate_256),
        Bound::AtLeast(0.65),
    ),
    (
        "JobRunner's p50 against libzmq's REQ/REP",
        (EMBEDDED, |it| it.p50_us),
        ("zmq-req-rep", |it| it.p50_us),
        Bound::AtMost(1.2),
    ),
    (
        "standalone master against the bare ROUTER-ROUTER loop, 64 in flight",
        (STANDALONE, |it| it.rate_64),
        ("zmq-broker", |it| it.rate_64),
        Bound::AtLeast(0.9),
    ),
    (
        "standalone master against NATS, 64 in flight",
        (STANDALONE, |it| it.rate_64),
        ("nats", |it| it.rate_64),
        Bound::AtLeast(1.25),
    ),
    (
        "JobRunner against gRPC, 64 in flight",
        (EMBEDDED, |it| it.rate_64),
        ("grpc", |it| it.rate_64),
        Bound::AtLeast(5.0),
    ),
    (
        "JobRunner against Gearman, 64 in flight",
        (EMBEDDED, |it| it.rate_64),
        ("gearman", |it| it.rate_64),
        Bound::AtLeast(30.0),
    ),
    (
        "JobRunner against Redis lists, 64 in flight",
        (EMBEDDED, |it| it.rate_64),
        ("redis-lists", |it| it.rate_64),
        Bound::AtLeast(30.0),
    ),
];

/// What the first Powerhose, ported to Python 3, did in a second with 64 jobs in flight, and the control beside it.
const ORIGINAL: (f64, f64) = (5_200.0, 1_410_000.0);

/// The goals whose systems were measured.
pub fn of(rows: &[Row], break_even: Option<&BreakEven>) -> Vec<Goal> {
    let figure = |(name, figure): (&str, Figure)| {
        let row = rows.iter().find(|row| row.name == name)?;
        Some(figure(row.measured()?).median)
    };
    let ratios = WISHES.iter().filter_map(|&(what, mine, theirs, bound)| {
        Some(Goal::new(what, figure(mine)? / figure(theirs)?, bound))
    });
    let cpu = figure((EMBEDDED, |it| it.cpu_us)).map(|cpu| {
        let what = "CPU µs for a job, JobRunner, all processes, 64 in flight";
        Goal::new(what, cpu, Bound::AtMost(4.0))
    });
    let rate_64: Figure = |it| it.rate_64;
    let original = (figure((EMBEDDED, rate_64)).zip(figure(("unix-blocking", rate_64)))).map(
        |(mine, control)| {
            let what = "JobRunner against the first Powerhose, scaled by the blocking unix socket";
            let (original, control_then) = ORIGINAL;
            Goal::new(
                what,
                mine / (original * control / control_then),
                Bound::AtLeast(60.0),
            )
        },
    );
    let break_even = break_even.map(|it| {
        let what = "smallest job in µs worth handing to two workers, by a saturated service";
        let smallest = it.smallest_us.map_or(f64::INFINITY, |us| us as f64);
        Goal::new(what, smallest, Bound::AtMost(100.0))
    });
    ratios
        .chain(cpu)
        .chain(original)
        .chain(break_even)
        .collect()
}
