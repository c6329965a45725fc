//! Several rounds in three numbers.

use std::fmt;

use serde::Serialize;

/// The middle of several rounds, with the least and the most.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    /// Half of the rounds gave less, half more.
    pub median: f64,
    /// The least of any round.
    pub min: f64,
    /// The most of any round.
    pub max: f64,
}

impl Spread {
    /// Of these rounds; `None` when there were none.
    pub fn of(values: impl Iterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        Some(Self {
            median: *values.get(values.len() / 2)?,
            min: *values.first()?,
            max: *values.last()?,
        })
    }
}

impl fmt::Display for Spread {
    /// With as many decimals as are asked for; one, if nothing is.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { median, min, max } = self;
        let digits = f.precision().unwrap_or(1);
        write!(f, "{median:.digits$} ({min:.digits$}-{max:.digits$})")
    }
}
