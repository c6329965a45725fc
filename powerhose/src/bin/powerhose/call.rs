use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Read};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::Args;
use hdrhistogram::Histogram;
use indicatif::{ProgressBar, ProgressStyle};
use powerhose::{Bytes, Client, ExecuteError, Fault};
use serde::Serialize;
use sysexits::ExitCode;

use crate::failure::Failure;
use crate::{output, runtime, security};

/// Have a worker do a job: standard input or a file goes in, the answer comes out
///
/// With --repeat the same job is sent many times, and a summary of the times is printed instead of the answers.
#[derive(Args)]
pub(crate) struct Call {
    /// What to send [default: standard input]
    file: Option<PathBuf>,

    /// The frontend of a master, in order of preference [default: frontend in the private directory]
    #[arg(
        long,
        env = "POWERHOSE_FRONTEND",
        hide_env_values = true,
        value_name = "ENDPOINT",
        value_delimiter = ','
    )]
    frontend: Vec<String>,

    /// The service that must do it
    #[arg(long, value_name = "NAME", default_value = "")]
    service: String,

    /// How long a job may take, waiting included
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = humantime::parse_duration)]
    timeout: Duration,

    /// Never start the job twice, whatever happens to its worker
    #[arg(long)]
    at_most_once: bool,

    /// How many jobs to send in all
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
    repeat: Option<u64>,

    /// How many of them at the same time
    #[arg(long, value_name = "NUMBER", default_value = "1", value_parser = clap::value_parser!(u64).range(1..=10_000))]
    concurrency: u64,

    /// Print a line of JSON instead of the answer or the table
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    security: security::ClientOptions,
}

/// How each job is sent.
struct JobSettings {
    service: Arc<str>,
    timeout: Duration,
    at_most_once: bool,
}

impl JobSettings {
    async fn execute(&self, client: &Client, body: Bytes) -> Result<Bytes, ExecuteError> {
        let job = client.job(body).service(Arc::clone(&self.service));
        let job = job.timeout(self.timeout);
        let job = if self.at_most_once {
            job.at_most_once()
        } else {
            job
        };
        job.execute().await
    }
}

/// The outcome of one job.
#[derive(Serialize)]
struct Answer<'a> {
    code: &'a str,
    elapsed_us: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// As text, with what is none replaced.
    answer: String,
}

/// The outcome of many.
#[derive(Serialize)]
struct Summary {
    jobs: u64,
    seconds: f64,
    per_second: f64,
    p50_us: u64,
    p90_us: u64,
    p99_us: u64,
    max_us: u64,
    errors: BTreeMap<String, u64>,
}

impl Call {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let mut builder = Client::builder().insecure(self.security.insecure);
        if let Some(keys) = self.security.keys()? {
            builder = builder.curve(keys);
        }
        let endpoints = match &self.frontend[..] {
            [] => vec![runtime::frontend()],
            given => given.to_vec(),
        };
        for endpoint in endpoints {
            builder = builder.connect(endpoint);
        }
        let client = builder.start()?;
        let body = self.body()?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::system("start an executor", &error))?;
        runtime.block_on(async {
            let ended = match self.repeat {
                None => self.once(&client, body).await,
                Some(repeat) => self.many(&client, body, repeat).await,
            };
            client.close(Duration::ZERO).await;
            ended
        })
    }

    fn body(&self) -> Result<Bytes, Failure> {
        let (name, read) = match &self.file {
            Some(path) => (path.display().to_string(), std::fs::read(path)),
            None => {
                let mut body = Vec::new();
                let read = io::stdin().lock().read_to_end(&mut body);
                ("standard input".to_owned(), read.map(|_| body))
            }
        };
        read.map(Bytes::from).map_err(|error| {
            Failure::new(ExitCode::NoInput, format!("cannot read {name}: {error}"))
        })
    }

    fn settings(&self) -> JobSettings {
        JobSettings {
            service: self.service.as_str().into(),
            timeout: self.timeout,
            at_most_once: self.at_most_once,
        }
    }

    async fn once(&self, client: &Client, body: Bytes) -> Result<(), Failure> {
        let begun = now();
        let outcome = self.settings().execute(client, body).await;
        if self.json {
            let answer = Answer {
                code: outcome.as_ref().err().map_or("ok", ExecuteError::code),
                elapsed_us: micros(begun.elapsed()),
                error: outcome.as_ref().err().map(ToString::to_string),
                answer: String::from_utf8_lossy(outcome.as_ref().unwrap_or(&Bytes::new()))
                    .into_owned(),
            };
            output::json(&answer)?;
        } else if let Ok(answer) = &outcome {
            output::bytes(answer)?;
        }
        outcome.map(|_| ()).map_err(|error| failure(&error))
    }

    async fn many(&self, client: &Client, body: Bytes, repeat: u64) -> Result<(), Failure> {
        let bar = if io::stderr().is_terminal() {
            ProgressBar::new(repeat).with_style(
                ProgressStyle::with_template(
                    "{wide_bar} {human_pos}/{human_len} jobs, {per_sec}, {eta} left",
                )
                .unwrap_or_else(|_| ProgressStyle::default_bar()),
            )
        } else {
            ProgressBar::hidden()
        };
        let mut times = Histogram::<u64>::new(3)
            .map_err(|error| Failure::new(ExitCode::Software, error.to_string()))?;
        let mut errors = BTreeMap::new();
        let begun = now();
        let left = Arc::new(AtomicU64::new(repeat));
        let (tell, mut told) = tokio::sync::mpsc::channel(1024);
        for _ in 0..self.concurrency.min(repeat) {
            let (left, tell, body) = (Arc::clone(&left), tell.clone(), body.clone());
            let (client, settings) = (client.clone(), self.settings());
            tokio::spawn(async move {
                let take = |left: u64| left.checked_sub(1);
                while (left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)).is_ok() {
                    let begun = now();
                    let outcome = settings.execute(&client, body.clone()).await;
                    if tell.send((begun.elapsed(), outcome.err())).await.is_err() {
                        return;
                    }
                }
            });
        }
        drop(tell);
        while let Some((time, error)) = told.recv().await {
            let _ = times.record(micros(time));
            if let Some(error) = error {
                *errors.entry(error.code().to_owned()).or_insert(0) += 1;
            }
            bar.inc(1);
        }
        bar.finish_and_clear();
        let seconds = begun.elapsed().as_secs_f64();
        let summary = Summary {
            jobs: repeat,
            seconds,
            #[expect(clippy::cast_precision_loss, reason = "for people")]
            per_second: repeat as f64 / seconds,
            p50_us: times.value_at_quantile(0.5),
            p90_us: times.value_at_quantile(0.9),
            p99_us: times.value_at_quantile(0.99),
            max_us: times.max(),
            errors,
        };
        if self.json {
            output::json(&summary)?;
        } else {
            output::text(&summary.table())?;
        }
        match summary.errors.values().sum::<u64>() {
            0 => Ok(()),
            failed => Err(Failure::new(
                ExitCode::Unavailable,
                format!("{failed} of {repeat} jobs failed"),
            )),
        }
    }
}

impl Summary {
    fn table(&self) -> String {
        let Self {
            jobs,
            seconds,
            per_second,
            p50_us,
            p90_us,
            p99_us,
            max_us,
            errors,
        } = self;
        let mut text = format!(
            "{jobs} jobs in {seconds:.2} s, {per_second:.0} jobs/s\np50 {p50_us} µs, p90 {p90_us} µs, p99 {p99_us} µs, max {max_us} µs\n"
        );
        for (code, count) in errors {
            text.push_str(&format!("{code}: {count}\n"));
        }
        text
    }
}

fn failure(error: &ExecuteError) -> Failure {
    let code = match (error, error.fault()) {
        (ExecuteError::DeadlineExceeded { .. } | ExecuteError::Overloaded { .. }, _) => {
            ExitCode::TempFail
        }
        (_, Fault::Caller) => ExitCode::DataErr,
        (_, Fault::Worker) => ExitCode::Software,
        (_, Fault::Operator) => ExitCode::Unavailable,
    };
    Failure::new(code, error.to_string())
}

#[expect(
    clippy::disallowed_methods,
    reason = "a command measures the time that its user waits"
)]
fn now() -> Instant {
    Instant::now()
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
