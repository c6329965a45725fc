//! [`Report`]: what a standalone master says of itself.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::master::frontend::{ClientSnapshot, ClientState, FrontendCounters};
use crate::master::{Latencies, ServiceStats, Stats, WorkerSnapshot, WorkerState};
use crate::wire::limits::MAX_REPORT;

/// The body of REPORT; protocol.md, section "REPORT", says what its members mean.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[expect(missing_docs, reason = "protocol.md has a table of them")]
#[non_exhaustive]
pub struct Report {
    pub implementation: String,
    pub pid: u32,
    #[serde(default)]
    pub host: String,
    pub phase: String,
    pub uptime_ms: u64,
    pub frontends: Vec<String>,
    #[serde(default)]
    pub operators: Vec<String>,
    pub backends: Vec<String>,
    pub jobs: usize,
    pub waiting: usize,
    pub waiting_bytes: usize,
    pub counters: BTreeMap<String, u64>,
    pub services: Vec<ServiceReport>,
    pub workers: Vec<WorkerReport>,
    pub clients: Vec<ClientReport>,
    pub omitted: usize,
}

/// A service in a [`Report`].
#[derive(Debug, Clone, Serialize, Deserialize)]
#[expect(missing_docs, reason = "protocol.md has a table of them")]
#[non_exhaustive]
pub struct ServiceReport {
    pub name: String,
    pub workers: usize,
    pub slots: usize,
    pub jobs: usize,
    pub waiting: usize,
    pub completed: u64,
    pub failed: u64,
    #[serde(flatten)]
    pub times: Times,
}

/// A worker in a [`Report`].
#[derive(Debug, Clone, Serialize, Deserialize)]
#[expect(missing_docs, reason = "protocol.md has a table of them")]
#[non_exhaustive]
pub struct WorkerReport {
    pub session: String,
    pub pid: u32,
    pub host: String,
    pub implementation: String,
    pub services: Vec<String>,
    pub slots: u16,
    pub in_flight: usize,
    pub state: String,
    pub age_ms: u64,
    pub silence_ms: u64,
    pub completed: u64,
    pub failed: u64,
    #[serde(flatten)]
    pub times: Times,
}

/// A client in a [`Report`].
#[derive(Debug, Clone, Serialize, Deserialize)]
#[expect(missing_docs, reason = "protocol.md has a table of them")]
#[non_exhaustive]
pub struct ClientReport {
    pub session: String,
    pub pid: u32,
    pub host: String,
    pub implementation: String,
    pub state: String,
    pub jobs: usize,
    pub age_ms: u64,
    pub silence_ms: u64,
    pub submitted: u64,
    pub replied: u64,
}

/// Where the time of jobs went.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Times {
    /// Waiting for a worker.
    pub queue: Quantiles,
    /// On the way to the worker and back.
    pub transit: Quantiles,
    /// In the handler.
    pub service: Quantiles,
}

/// A distribution of times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
#[non_exhaustive]
pub struct Quantiles {
    pub count: u64,
    pub p50_us: u64,
    pub p90_us: u64,
    pub p99_us: u64,
    pub max_us: u64,
}

/// What a report is made of, besides the master's own figures.
pub(crate) struct Scene<'a> {
    pub(crate) host: &'a str,
    pub(crate) is_draining: bool,
    pub(crate) uptime: Duration,
    pub(crate) frontends: &'a [String],
    pub(crate) operators: &'a [String],
    pub(crate) backends: &'a [String],
}

impl Report {
    pub(crate) fn new(
        scene: &Scene<'_>,
        stats: &Stats,
        workers: &[WorkerSnapshot],
        clients: &[ClientSnapshot],
        frontend: &FrontendCounters,
    ) -> Self {
        let mut counters = numbers(&stats.counters, "");
        counters.extend(numbers(frontend, "clients_"));
        Self {
            implementation: crate::master::IMPLEMENTATION.to_owned(),
            pid: std::process::id(),
            host: scene.host.to_owned(),
            phase: if scene.is_draining {
                "draining"
            } else {
                "running"
            }
            .to_owned(),
            uptime_ms: millis(scene.uptime),
            frontends: scene.frontends.to_vec(),
            operators: scene.operators.to_vec(),
            backends: scene.backends.to_vec(),
            jobs: stats.jobs,
            waiting: stats.waiting,
            waiting_bytes: stats.waiting_bytes,
            counters,
            services: stats.services.iter().map(ServiceReport::new).collect(),
            workers: workers.iter().map(WorkerReport::new).collect(),
            clients: clients.iter().map(ClientReport::new).collect(),
            omitted: 0,
        }
    }

    /// The report as it is sent: with as many workers and clients as fit.
    pub(crate) fn into_json(mut self) -> Bytes {
        loop {
            // It has string keys and no fallible serializer, so this cannot fail.
            let json = serde_json::to_vec(&self).unwrap_or_default();
            let listed = self.workers.len() + self.clients.len();
            if json.len() <= MAX_REPORT || listed == 0 {
                return json.into();
            }
            self.workers.truncate(self.workers.len() / 2);
            self.clients.truncate(self.clients.len() / 2);
            self.omitted += listed - self.workers.len() - self.clients.len();
        }
    }
}

impl ServiceReport {
    fn new(service: &ServiceStats) -> Self {
        Self {
            name: service.name.to_string(),
            workers: service.workers,
            slots: service.slots,
            jobs: service.jobs,
            waiting: service.waiting,
            completed: service.completed,
            failed: service.failed,
            times: Times::new(&service.latencies),
        }
    }
}

impl WorkerReport {
    fn new(worker: &WorkerSnapshot) -> Self {
        Self {
            session: worker.session.to_string(),
            pid: worker.pid,
            host: worker.host.clone(),
            implementation: worker.implementation.clone(),
            services: worker.services.clone(),
            slots: worker.slots,
            in_flight: worker.in_flight,
            state: match worker.state {
                WorkerState::Active => "active",
                WorkerState::Laggy => "laggy",
                WorkerState::Draining => "draining",
            }
            .to_owned(),
            age_ms: millis(worker.age),
            silence_ms: millis(worker.silence),
            completed: worker.completed,
            failed: worker.failed,
            times: Times::new(&worker.latencies),
        }
    }
}

impl ClientReport {
    fn new(client: &ClientSnapshot) -> Self {
        Self {
            session: client.session.to_string(),
            pid: client.pid,
            host: client.host.clone(),
            implementation: client.implementation.clone(),
            state: match client.state {
                ClientState::Attached => "attached",
                ClientState::Away => "away",
            }
            .to_owned(),
            jobs: client.jobs,
            age_ms: millis(client.age),
            silence_ms: millis(client.silence),
            submitted: client.submitted,
            replied: client.replied,
        }
    }
}

impl Times {
    fn new(latencies: &Latencies) -> Self {
        Self {
            queue: Quantiles::new(latencies.queue()),
            transit: Quantiles::new(latencies.transit()),
            service: Quantiles::new(latencies.service()),
        }
    }
}

impl Quantiles {
    fn new(histogram: &Histogram<u32>) -> Self {
        Self {
            count: histogram.len(),
            p50_us: histogram.value_at_quantile(0.5),
            p90_us: histogram.value_at_quantile(0.9),
            p99_us: histogram.value_at_quantile(0.99),
            max_us: histogram.max(),
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The fields of a struct of counters.
fn numbers(counters: &impl Serialize, prefix: &str) -> BTreeMap<String, u64> {
    let fields = match serde_json::to_value(counters) {
        Ok(serde_json::Value::Object(fields)) => fields,
        _ => serde_json::Map::new(),
    };
    (fields.into_iter())
        .filter_map(|(name, value)| Some((format!("{prefix}{name}"), value.as_u64()?)))
        .collect()
}
