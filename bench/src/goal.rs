//! What this project wants to reach, and whether it does.

use std::fmt;

use serde::Serialize;

/// Which way a ratio should be.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// No less than this.
    AtLeast(f64),
    /// No more than this.
    AtMost(f64),
}

/// One goal and how it stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Goal {
    /// What is compared with what.
    pub what: &'static str,
    /// What is wanted.
    pub bound: Bound,
    /// What was measured: the ratio of medians.
    pub ratio: f64,
    /// Whether it is reached.
    pub reached: bool,
}

impl Goal {
    /// Judges a ratio.
    pub fn new(what: &'static str, ratio: f64, bound: Bound) -> Self {
        let reached = match bound {
            Bound::AtLeast(least) => ratio >= least,
            Bound::AtMost(most) => ratio <= most,
        };
        Self {
            what,
            bound,
            ratio,
            reached,
        }
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = if self.reached { "reached" } else { "missed " };
        let (words, bound) = match self.bound {
            Bound::AtLeast(least) => ("at least", least),
            Bound::AtMost(most) => ("at most", most),
        };
        let Self { what, ratio, .. } = self;
        write!(f, "{mark} {ratio:6.2} ({words} {bound}): {what}")
    }
}
