//! Plays an adversarial master against a worker and says which clauses of protocol.md it keeps.
//!
//! # What the worker under test must do
//! It is any program; for each check the kit starts it anew with the shell, with `{endpoint}` in its command line replaced by the endpoint
//! to connect to. The same is in the environment as `POWERHOSE_CONNECT`. It must offer these two services:
//!
//! | service | job | RESULT |
//! |---|---|---|
//! | `conformance` | `echo TEXT` | ok, the bytes after `echo ` |
//! | `conformance` | `sleep N` | ok and `slept`, after N milliseconds; on cancellation it may end sooner |
//! | `conformance` | `fail TEXT` | failed, with TEXT in its body |
//! | `conformance` | `large N` | ok, N bytes |
//! | `echo` | any bytes | ok, the same bytes |
//!
//! `{socket}` in the command line is replaced by a path for the worker's own socket; jobs come there if the
//! worker then registers with it. `POWERHOSE_RECONNECT_LIMIT` is set to `1s` where the kit checks that the worker gives up.

mod checks;
mod error;
mod inbox;
mod letter;
mod post;
mod process;
mod report;
mod stage;

use std::time::Duration;

pub use checks::CHECKS;
pub use error::Flaw;
pub use report::{Outcome, Report, Verdict};

use crate::driver::clock::Clock;
use stage::Stage;

/// What is checked, and where protocol.md asks for it.
#[derive(Debug, Clone, Copy)]
pub struct Check {
    /// A stable name.
    pub name: &'static str,
    /// What a worker does that passes.
    pub promise: &'static str,
    /// The heading of protocol.md, as a link names it.
    pub clause: &'static str,
    run: fn(&mut Stage) -> Result<(), Flaw>,
}

/// How to test a worker.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The command line of the worker, for the shell.
    pub command: String,
    /// How long the worker may take for anything that it owes. A worker that passes is never waited for so long.
    pub patience: Duration,
}

/// Runs one check with a worker of its own, which is gone afterwards. It takes a few times [`Settings::patience`] at most.
pub fn run(check: &Check, settings: &Settings) -> Verdict {
    let clock = Clock::new();
    let started = clock.now();
    let outcome = match Stage::new(settings) {
        Ok(mut stage) => match (check.run)(&mut stage) {
            Ok(()) => Outcome::Passed,
            Err(Flaw::NotOffered(why)) => Outcome::Skipped { why },
            Err(flaw) => Outcome::Failed {
                reason: stage.explain(&flaw),
            },
        },
        Err(flaw) => Outcome::Failed {
            reason: flaw.to_string(),
        },
    };
    Verdict {
        check: check.name,
        clause: check.clause,
        outcome,
        elapsed: clock.now() - started,
    }
}
