//! What a comparison found, for people and for machines.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::spread::Spread;

use super::campaign::{CPU_AT, Contestant, Turn};

/// One system's line.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// The system.
    pub name: &'static str,
    /// What it is.
    pub what: &'static str,
    /// Its figures, or why there are none.
    #[serde(flatten)]
    pub figures: Figures,
}

/// A system's figures.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Figures {
    /// It ran.
    Measured(Box<Measured>),
    /// It did not, and why.
    Missing(String),
}

/// What was measured of a system.
#[derive(Debug, Clone, Serialize)]
pub struct Measured {
    /// The latency in the middle, one job at a time, in microseconds.
    pub p50_us: Spread,
    /// The latency that one job in a hundred exceeds.
    pub p99_us: Spread,
    /// Jobs per second, 64 under way.
    pub rate_64: Spread,
    /// Jobs per second, 256 under way.
    pub rate_256: Spread,
    /// CPU time of all processes in microseconds for one job (seconds for a million), 64 under way.
    pub cpu_us: Spread,
}

impl Row {
    /// The figures of a contestant.
    pub fn new(contestant: &Contestant) -> Self {
        let figures = match &contestant.turns {
            Ok(turns) => Measured::new(turns).map_or_else(
                || Figures::Missing("nothing was measured".to_owned()),
                |measured| Figures::Measured(Box::new(measured)),
            ),
            Err(error) => Figures::Missing(error.clone()),
        };
        Self {
            name: contestant.system.name,
            what: contestant.system.what,
            figures,
        }
    }

    /// The figures, if there are any.
    pub fn measured(&self) -> Option<&Measured> {
        match &self.figures {
            Figures::Measured(measured) => Some(measured),
            Figures::Missing(_) => None,
        }
    }
}

impl Measured {
    fn new(turns: &[Turn]) -> Option<Self> {
        let at = |in_flight| turns.iter().filter(move |turn| turn.in_flight == in_flight);
        let latency = |quantile: f64| {
            Spread::of(
                at(1).map(|turn| turn.sample.latencies.value_at_quantile(quantile) as f64 / 1e3),
            )
        };
        let rate = |in_flight| Spread::of(at(in_flight).map(|turn| turn.sample.rate()));
        Some(Self {
            p50_us: latency(0.5)?,
            p99_us: latency(0.99)?,
            rate_64: rate(64)?,
            rate_256: rate(256)?,
            cpu_us: Spread::of(at(CPU_AT).map(|turn| micros(turn.cpu_per_job)))?,
        })
    }
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// A table in Markdown, which people can read as it is.
#[derive(Debug)]
pub struct Table<'a>(pub &'a [Row]);

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| system | p50 µs | p99 µs | jobs/s, 64 in flight | jobs/s, 256 in flight | CPU µs per job |"
        )?;
        writeln!(f, "|---|---|---|---|---|---|")?;
        for row in self.0 {
            match &row.figures {
                Figures::Measured(measured) => writeln!(
                    f,
                    "| {} | {} | {} | {} | {} | {} |",
                    row.what,
                    measured.p50_us,
                    measured.p99_us,
                    thousands(measured.rate_64),
                    thousands(measured.rate_256),
                    measured.cpu_us,
                )?,
                Figures::Missing(why) => writeln!(f, "| {} | missing: {why} | | | | |", row.what)?,
            }
        }
        Ok(())
    }
}

fn thousands(spread: Spread) -> String {
    let Spread { median, min, max } = spread;
    format!("{:.1}k ({:.1}-{:.1})", median / 1e3, min / 1e3, max / 1e3)
}
