//! What was found, for people and for machines.

use std::fmt;
use std::time::Duration;

use bench::goal::{Bound, Goal};
use bench::spread::Spread;
use serde::Serialize;

use crate::campaign::{self, Crypto, Plan, Turn};
use crate::credentials::{self, Credentials};

/// What wrk got from axum's hello where Mozilla's servers were measured: figures from there are scaled by the control.
const HELLO_THERE: f64 = 115_000.0;

/// Requests per second of Mozilla's Rust server there: Bearer JWTs, PostgreSQL, 64 connections.
const SYNCSTORAGE_RS_THERE: f64 = 3_300.0;

/// Requests per second of Mozilla's Python server there: BrowserID, SQLite, 8 connections.
const PYTHON_THERE: f64 = 293.0;

/// Everything that was measured.
#[derive(Serialize)]
pub(crate) struct Report {
    connections: usize,
    /// Requests per second of a server that says hello.
    hello: Spread,
    rows: Vec<Row>,
    goals: Vec<Goal>,
}

/// One server with one kind of credentials.
#[derive(Serialize)]
struct Row {
    credentials: Credentials,
    crypto: Crypto,
    /// Requests per second.
    rate: Spread,
    /// CPU time of the server and its workers, in microseconds a request.
    cpu_us: Spread,
    p50_us: Spread,
    p99_us: Spread,
    /// Of the health endpoint meanwhile.
    health_p99_us: Spread,
}

impl Row {
    fn new(credentials: Credentials, crypto: Crypto, turns: &[Turn]) -> Option<Self> {
        let of = |figure: fn(&Turn) -> f64| {
            let own = |turn: &&Turn| turn.what == Some((crypto, credentials));
            Spread::of(turns.iter().filter(own).map(figure))
        };
        Some(Self {
            credentials,
            crypto,
            rate: of(rate)?,
            cpu_us: of(|turn| micros(turn.cpu) / turn.sample.requests.max(1) as f64)?,
            p50_us: of(|turn| turn.sample.latencies.value_at_quantile(0.5) as f64)?,
            p99_us: of(|turn| turn.sample.latencies.value_at_quantile(0.99) as f64)?,
            health_p99_us: of(|turn| turn.health.value_at_quantile(0.99) as f64)?,
        })
    }
}

fn rate(turn: &Turn) -> f64 {
    turn.sample.requests as f64 / turn.sample.elapsed.as_secs_f64().max(f64::MIN_POSITIVE)
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

impl Report {
    /// `None` when a server never had its turn.
    pub(crate) fn new(plan: &Plan, turns: &[Turn]) -> Option<Self> {
        let control = turns.iter().filter(|turn| turn.what.is_none());
        let hello = Spread::of(control.map(rate))?;
        let mut rows = Vec::new();
        let mut goals = Vec::new();
        for credentials in credentials::ALL {
            let row = |crypto| Row::new(credentials, crypto, turns);
            let [offloaded, blocking, inline] = campaign::ALL.map(row);
            let (offloaded, blocking, inline) = (offloaded?, blocking?, inline?);
            let on_sqlite = (plan.database.as_ref()).is_none_or(|url| url.starts_with("sqlite:"));
            goals.extend(self::goals(
                [&offloaded, &blocking, &inline],
                hello,
                on_sqlite,
            ));
            rows.extend([offloaded, blocking, inline]);
        }
        Some(Self {
            connections: plan.connections,
            hello,
            rows,
            goals,
        })
    }
}

fn goals([offloaded, blocking, inline]: [&Row; 3], hello: Spread, on_sqlite: bool) -> Vec<Goal> {
    let others = [blocking, inline].map(|row| row.health_p99_us.median);
    let throughput = offloaded.rate.median / blocking.rate.median;
    let health = offloaded.health_p99_us.median / others[0].min(others[1]);
    let scale = hello.median / HELLO_THERE;
    let against = |there: f64| offloaded.rate.median / (there * scale);
    let mut goals = vec![
        Goal::new(
            "throughput, offloaded against spawn_blocking",
            throughput,
            Bound::AtLeast(0.7),
        ),
        Goal::new(
            "health p99, offloaded against the better of the others",
            health,
            Bound::AtMost(1.0),
        ),
    ];
    match (offloaded.credentials, on_sqlite) {
        (Credentials::Bearer, true) => goals.push(Goal::new(
            "throughput on SQLite against syncstorage-rs, scaled by the control",
            against(SYNCSTORAGE_RS_THERE),
            Bound::AtLeast(3.0),
        )),
        (Credentials::Bearer, false) => goals.push(Goal::new(
            "throughput against syncstorage-rs, scaled by the control",
            against(SYNCSTORAGE_RS_THERE),
            Bound::AtLeast(2.0),
        )),
        (Credentials::BrowserId, true) => goals.push(Goal::new(
            "throughput on SQLite against Mozilla's Python server, scaled by the control",
            against(PYTHON_THERE),
            Bound::AtLeast(20.0),
        )),
        (Credentials::BrowserId, false) => {}
    }
    goals
}

impl fmt::Display for Crypto {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Offloaded => "offloaded",
            Self::SpawnBlocking => "spawn_blocking",
            Self::Inline => "inline",
        })
    }
}

impl fmt::Display for Report {
    /// A table in Markdown, which people can read as it is.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| credentials | crypto | requests/s | CPU µs per request | p50 µs | p99 µs | health p99 µs |"
        )?;
        writeln!(f, "|---|---|---|---|---|---|---|")?;
        for row in &self.rows {
            let Row {
                credentials,
                crypto,
                rate,
                cpu_us,
                p50_us,
                p99_us,
                health_p99_us,
            } = row;
            writeln!(
                f,
                "| {credentials} | {crypto} | {rate:.0} | {cpu_us:.0} | {p50_us:.0} | {p99_us:.0} | {health_p99_us:.0} |"
            )?;
        }
        let Self {
            connections, hello, ..
        } = self;
        writeln!(
            f,
            "\nThe control, a server that says hello: {hello:.0} requests/s. {connections} connections.\n"
        )?;
        for goal in &self.goals {
            writeln!(f, "{goal}")?;
        }
        Ok(())
    }
}
