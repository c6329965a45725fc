//! Defects planted in the core of the master, and the hunt of the simulator for them: each has to be found within a stated
//! number of seeds, or the simulator does not look where it should.
//!
//! The defects are in the core's own text, in `powerhose/src/master/mutants.rs`, and only a build with a cfg of its own can
//! have one. [`build`] makes that build, [`hunt`] runs it once for each.

pub mod build;
pub mod hunt;

/// The mutants by name, and the most seeds that it may take to find each. They are run in order from 0, so how many it takes
/// changes only with the simulator and the core.
pub const MUTANTS: &[(&str, u64)] = &[
    ("attempt-not-bumped", 2000),
    ("session-ignored", 2000),
    ("attempt-ignored", 2000),
    ("cancel-lost", 2000),
    ("slot-leaked", 2000),
    ("liveness-not-reset", 2000),
    ("busy-expired", 2000),
    ("pause-not-credited", 2000),
    ("deadline-not-propagated", 2000),
    ("queue-off-by-one", 2000),
    ("poison-not-counted", 2000),
    ("suspect-not-alone", 2000),
    ("returned-counts", 2000),
    ("at-most-once-ahead", 2000),
    ("late-result-counts", 2000),
    ("laggy-not-set-aside", 2000),
    ("draining-gets-work", 2000),
    ("ahead-before-free", 2000),
    ("missing-kept", 2000),
    ("probe-not-sent", 2000),
];

/// The seeds that a core without a defect has to stand: as many as the most that any mutant is given.
pub fn control_seeds() -> u64 {
    MUTANTS.iter().map(|(_, seeds)| *seeds).max().unwrap_or(0)
}
