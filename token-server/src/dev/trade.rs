//! One trade over HTTP, as a client makes it, and what became of it.

use std::{
    fmt,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use crypto_jobs::{BROWSERID_VERIFY, Secret, TOKEN_ISSUE};
use powerhose::{JobRunner, master::Stats};
use reqwest::header::AUTHORIZATION;
use serde::Serialize;
use serde_json::{Map, Value};
use sysexits::ExitCode;
use workers::crypto::tokenlib;

use crate::failure::Failure;

/// What a client waits for at most.
const TIMEOUT: Duration = Duration::from_secs(15);

/// A trade that was made.
#[derive(Serialize)]
pub(super) struct Traded {
    /// What the token says.
    claims: Map<String, Value>,
    /// The server's answer.
    answer: Map<String, Value>,
    timings: Timings,
}

/// All in microseconds.
#[derive(Serialize)]
struct Timings {
    verify_job: Job,
    issue_job: Job,
    /// The whole request, as its client sees it.
    total_us: u64,
}

/// The only job of its service.
#[derive(Serialize)]
struct Job {
    /// In the worker's hands.
    work_us: u64,
    /// Waiting, and on the way there and back.
    travel_us: u64,
}

impl Job {
    fn of(stats: &Stats, service: &str) -> Option<Self> {
        let found = stats
            .services
            .iter()
            .find(|found| &*found.name == service)?;
        let latencies = &found.latencies;
        Some(Self {
            work_us: latencies.service().max(),
            travel_us: latencies.queue().max() + latencies.transit().max(),
        })
    }
}

/// Makes the trade, and checks the token as a storage node does.
pub(super) async fn make(
    url: &str,
    authorization: &str,
    secret: &Secret,
    runner: &JobRunner,
) -> Result<Traded, Failure> {
    let refused =
        |reason: String| Failure::new(ExitCode::Software, format!("the trade failed: {reason}"));
    let client = reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([])
        .timeout(TIMEOUT)
        .build()
        .map_err(|error| refused(error.to_string()))?;
    let started = Instant::now();
    let response = client
        .get(url)
        .header(AUTHORIZATION, authorization)
        .send()
        .await
        .map_err(|error| refused(error.to_string()))?;
    let status = response.status();
    let body = response
        .bytes()
        .await
        .map_err(|error| refused(error.to_string()))?;
    let total = started.elapsed();
    if !status.is_success() {
        return Err(refused(format!(
            "{status} {}",
            String::from_utf8_lossy(&body)
        )));
    }
    let answer: Map<String, Value> =
        serde_json::from_slice(&body).map_err(|error| refused(error.to_string()))?;
    let text = |name: &str| answer.get(name).and_then(Value::as_str).unwrap_or_default();
    let claims = tokenlib::parse(text("id"), secret.expose(), now_s())
        .map_err(|error| refused(error.to_string()))?;
    let salt = claims
        .get("salt")
        .and_then(Value::as_str)
        .unwrap_or_default();
    if tokenlib::derived_key(secret.expose(), text("id"), salt) != text("key") {
        return Err(refused("the key is not the token's".to_owned()));
    }

    let stats = runner.stats().await;
    let job = |service: &str| {
        Job::of(&stats, service).ok_or_else(|| refused(format!("no job of {service} was done")))
    };
    Ok(Traded {
        claims,
        answer,
        timings: Timings {
            verify_job: job(BROWSERID_VERIFY)?,
            issue_job: job(TOKEN_ISSUE)?,
            total_us: micros(total),
        },
    })
}

fn now_s() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

impl fmt::Display for Traded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "A token was issued. It says:")?;
        for (name, value) in &self.claims {
            writeln!(f, "  {name:<17} {value}")?;
        }
        writeln!(f, "Along with it came:")?;
        for (name, value) in &self.answer {
            writeln!(f, "  {name:<17} {value}")?;
        }
        let Timings {
            verify_job,
            issue_job,
            total_us,
        } = &self.timings;
        writeln!(f, "It took (job times are rounded):")?;
        for (name, micros) in [
            ("verify job", verify_job.work_us),
            ("  there and back", verify_job.travel_us),
            ("issue job", issue_job.work_us),
            ("  there and back", issue_job.travel_us),
            ("whole request", *total_us),
        ] {
            writeln!(f, "  {name:<17} {:>8.3} ms", micros as f64 / 1000.0)?;
        }
        Ok(())
    }
}
