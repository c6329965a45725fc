use std::fmt::Write as _;
use std::thread;
use std::time::Duration;

use clap::Args;
use powerhose::{Inquiry, Quantiles, Report};

use crate::failure::Failure;
use crate::{output, runtime, security};

/// Show how a standalone master is: services, workers, clients, times
#[derive(Args)]
pub(crate) struct Status {
    /// Where the master answers operators: its frontend, or its endpoint for operators if it has one [default: frontend in the private directory]
    #[arg(
        long,
        env = "POWERHOSE_FRONTEND",
        hide_env_values = true,
        value_name = "ENDPOINT"
    )]
    frontend: Option<String>,

    /// How long to wait for the answer
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = humantime::parse_duration)]
    timeout: Duration,

    /// Print everything as a line of JSON
    #[arg(long)]
    json: bool,

    /// Show it again after each such time, until interrupted
    #[arg(long, value_name = "DURATION", num_args = 0..=1, default_missing_value = "1s", value_parser = humantime::parse_duration)]
    watch: Option<Duration>,

    #[command(flatten)]
    security: security::ClientOptions,
}

impl Status {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let frontend = self.frontend.unwrap_or_else(runtime::frontend);
        let mut inquiry = Inquiry::new(frontend).insecure(self.security.insecure);
        if let Some(keys) = self.security.keys()? {
            inquiry = inquiry.curve(keys);
        }
        loop {
            let report = inquiry.ask(self.timeout)?;
            if self.json {
                output::json(&report)?;
            } else {
                output::text(&table(&report))?;
            }
            let Some(pause) = self.watch else {
                return Ok(());
            };
            thread::sleep(pause.max(Duration::from_millis(100)));
        }
    }
}

/// Text from elsewhere, without what a terminal would act on.
fn shown(text: &str) -> String {
    (text.chars())
        .flat_map(|char| match char.is_control() {
            true => char.escape_default().collect::<Vec<_>>(),
            false => vec![char],
        })
        .collect()
}

fn table(report: &Report) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = writeln!(
        text,
        "process {} on {}, {}, up {}: {} jobs, {} waiting",
        report.pid,
        shown(&report.host),
        report.phase,
        humantime::format_duration(Duration::from_secs(report.uptime_ms / 1000)),
        report.jobs,
        report.waiting
    );
    let _ = writeln!(
        text,
        "\n{:<24} {:>7} {:>6} {:>8} {:>10} {:>8} {:>19} {:>19}",
        "SERVICE", "WORKERS", "SLOTS", "WAITING", "DONE", "FAILED", "QUEUE p50/p99", "WORK p50/p99"
    );
    for service in &report.services {
        let name = if service.name.is_empty() {
            "(default)"
        } else {
            &service.name
        };
        let _ = writeln!(
            text,
            "{:<24} {:>7} {:>6} {:>8} {:>10} {:>8} {:>19} {:>19}",
            shown(name),
            service.workers,
            service.slots,
            service.waiting,
            service.completed,
            service.failed,
            times(service.times.queue),
            times(service.times.service)
        );
    }
    let _ = writeln!(
        text,
        "\n{:<9} {:<16} {:<24} {:<9} {:>6} {:>8} {:>10} {:>8}",
        "WORKER", "HOST", "IMPLEMENTATION", "STATE", "SLOTS", "RUNNING", "DONE", "FAILED"
    );
    for worker in &report.workers {
        let _ = writeln!(
            text,
            "{:<9} {:<16} {:<24} {:<9} {:>6} {:>8} {:>10} {:>8}",
            worker.pid,
            shown(&worker.host),
            shown(&worker.implementation),
            worker.state,
            worker.slots,
            worker.in_flight,
            worker.completed,
            worker.failed
        );
    }
    let _ = writeln!(
        text,
        "\n{:<9} {:<16} {:<24} {:<9} {:>6} {:>10}",
        "CLIENT", "HOST", "IMPLEMENTATION", "STATE", "JOBS", "REPLIES"
    );
    for client in &report.clients {
        let _ = writeln!(
            text,
            "{:<9} {:<16} {:<24} {:<9} {:>6} {:>10}",
            client.pid,
            shown(&client.host),
            shown(&client.implementation),
            client.state,
            client.jobs,
            client.replied
        );
    }
    if report.omitted > 0 {
        let _ = writeln!(text, "\n{} more are not listed", report.omitted);
    }
    text
}

fn times(times: Quantiles) -> String {
    if times.count == 0 {
        return "-".to_owned();
    }
    format!("{} / {} µs", times.p50_us, times.p99_us)
}
