//! What operators can watch, in Prometheus' format.

use std::{fmt, sync::Arc, time::Duration};

use axum::{extract::State, http::header::CONTENT_TYPE, response::IntoResponse};
use metrics::{Label, SharedString, counter, gauge, histogram, with_local_recorder};
use metrics_exporter_prometheus::{
    BuildError, Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder,
};
use powerhose::master::Stats;

use crate::{app::App, jobs::Observation};

/// Bounds of the buckets for durations, in seconds: from a health check to the longest deadline.
const BUCKETS: [f64; 12] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5, 10.0,
];

/// How often samples are put into their buckets, so that they don't pile up while nobody looks.
const UPKEEP: Duration = Duration::from_secs(5);

/// The counters of one server.
pub(crate) struct Metrics {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
}

impl Metrics {
    pub(crate) fn new() -> Result<Self, BuildError> {
        let durations = Matcher::Suffix("_duration_seconds".to_owned());
        let recorder = PrometheusBuilder::new()
            .set_buckets_for_metric(durations, &BUCKETS)?
            .build_recorder();
        let handle = recorder.handle();
        Ok(Self { recorder, handle })
    }

    /// One request that has got its answer. `route` is one of the application's, `reason` the failure's
    /// stable name.
    pub(crate) fn request(&self, route: &str, status: u16, reason: &'static str, took: Duration) {
        let route = route.to_owned();
        with_local_recorder(&self.recorder, || {
            let labels = [("route", route.clone()), ("status", status.to_string())];
            counter!("token_server_requests_total", &labels).increment(1);
            if !reason.is_empty() {
                counter!("token_server_failures_total", "reason" => reason).increment(1);
            }
            histogram!("token_server_request_duration_seconds", "route" => route)
                .record(took.as_secs_f64());
        });
    }

    /// One job of a service that has had its outcome, `ok` or the stable code of an error.
    pub(crate) fn job(&self, service: &Arc<str>, outcome: &'static str, took: Duration) {
        let service = SharedString::from_shared(Arc::clone(service));
        with_local_recorder(&self.recorder, || {
            let labels = [
                Label::new("service", service.clone()),
                Label::from_static_parts("outcome", outcome),
            ];
            counter!("token_server_jobs_total", labels.iter()).increment(1);
            histogram!("token_server_job_duration_seconds", "service" => service)
                .record(took.as_secs_f64());
        });
    }

    /// One token for an application of the settings.
    pub(crate) fn issued(&self, application: &str) {
        let application = application.to_owned();
        with_local_recorder(&self.recorder, || {
            counter!("token_server_tokens_total", "application" => application).increment(1);
        });
    }

    /// Everything, with what the pool of workers tells at present.
    fn render(&self, observation: &Observation) -> String {
        with_local_recorder(&self.recorder, || match observation {
            Observation::Own(stats) => publish(stats),
            Observation::Shared { masters, losses } => publish_masters(masters, *losses),
        });
        self.handle.render()
    }

    /// Keeps samples from piling up. Never completes.
    pub(crate) async fn upkeep(&self) {
        let mut interval = tokio::time::interval(UPKEEP);
        loop {
            interval.tick().await;
            self.handle.run_upkeep();
        }
    }
}

fn publish_masters(masters: &[(String, bool)], losses: u64) {
    for (endpoint, is_serving) in masters {
        let serving = if *is_serving { 1.0 } else { 0.0 };
        gauge!("powerhose_master_serving", "master" => endpoint.clone()).set(serving);
    }
    counter!("powerhose_masters_lost_total").absolute(losses);
}

fn publish(stats: &Stats) {
    let counters = &stats.counters;
    for (event, count) in [
        ("submitted", counters.submitted),
        ("completed", counters.completed),
        ("failed", counters.failed),
        ("overloaded", counters.overloaded),
        ("cancelled", counters.cancelled),
        ("expired_at_master", counters.expired_at_master),
        ("expired_at_worker", counters.expired_at_worker),
        ("redispatched", counters.redispatched),
        ("attempts_timed_out", counters.attempts_timed_out),
        ("poisoned", counters.poisoned),
    ] {
        counter!("powerhose_jobs_total", "event" => event).absolute(count);
    }
    for (event, count) in [
        ("registered", counters.registered),
        ("lost", counters.workers_lost),
        ("silent", counters.workers_silent),
        ("left", counters.workers_left),
    ] {
        counter!("powerhose_workers_total", "event" => event).absolute(count);
    }
    gauge!("powerhose_workers").set(stats.workers as f64);
    gauge!("powerhose_jobs_waiting").set(stats.waiting as f64);
    gauge!("powerhose_jobs").set(stats.jobs as f64);
    for service in &stats.services {
        let name = || service.name.to_string();
        counter!("powerhose_service_completed_total", "service" => name())
            .absolute(service.completed);
        counter!("powerhose_service_failed_total", "service" => name()).absolute(service.failed);
        gauge!("powerhose_service_slots", "service" => name()).set(service.slots as f64);
        for (quantile, text) in [(0.5, "0.5"), (0.99, "0.99")] {
            for (part, latencies) in [
                ("queue", service.latencies.queue()),
                ("transit", service.latencies.transit()),
                ("work", service.latencies.service()),
            ] {
                let labels = [
                    ("service", name()),
                    ("part", part.to_owned()),
                    ("quantile", text.to_owned()),
                ];
                let seconds = latencies.value_at_quantile(quantile) as f64 / 1e6;
                gauge!("powerhose_service_latency_seconds", &labels).set(seconds);
            }
        }
    }
}

/// `GET /metrics`.
pub(crate) async fn scrape(State(app): State<App>) -> impl IntoResponse {
    let observation = app.crypto().jobs().observe().await;
    let text = app.metrics().render(&observation);
    ([(CONTENT_TYPE, "text/plain; version=0.0.4")], text)
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}
