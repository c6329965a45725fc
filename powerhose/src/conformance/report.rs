use std::time::Duration;

use serde::Serialize;

/// How a check ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "lowercase")]
pub enum Outcome {
    /// The worker keeps the clause.
    Passed,
    /// It does not.
    Failed {
        /// What was expected, and what came.
        reason: String,
    },
    /// The worker does not have what the clause is about, and need not.
    Skipped {
        /// What it does not have.
        why: String,
    },
}

/// What came of one check.
#[derive(Debug, Clone, Serialize)]
pub struct Verdict {
    /// The name of the check.
    pub check: &'static str,
    /// The heading of protocol.md, as a link names it.
    pub clause: &'static str,
    /// How it ended.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// How long it took, in milliseconds.
    #[serde(rename = "elapsed_ms", serialize_with = "millis")]
    pub elapsed: Duration,
}

/// What came of all checks.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// How many passed.
    pub passed: usize,
    /// How many failed.
    pub failed: usize,
    /// How many were skipped.
    pub skipped: usize,
    /// Each of them.
    pub checks: Vec<Verdict>,
}

impl Report {
    /// Counts the verdicts.
    pub fn new(checks: Vec<Verdict>) -> Self {
        let count = |wanted: fn(&Outcome) -> bool| {
            let those = checks.iter().filter(|verdict| wanted(&verdict.outcome));
            those.count()
        };
        Self {
            passed: count(|outcome| *outcome == Outcome::Passed),
            failed: count(|outcome| matches!(outcome, Outcome::Failed { .. })),
            skipped: count(|outcome| matches!(outcome, Outcome::Skipped { .. })),
            checks,
        }
    }
}

fn millis<S: serde::Serializer>(elapsed: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX))
}
