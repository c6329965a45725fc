use std::fmt::Write;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use powerhose::{Bytes, JobRunner, Worker};
use serde::Serialize;
use sysexits::ExitCode;

use self::measure::{Figures, ask, ask_many};
use crate::failure::Failure;
use crate::{output, worker};

mod measure;
mod pool;

/// Say whether handing a job to workers is worth it, by doing it both ways
///
/// The job in --input is done by the program alone, call after call; then through a master and
/// workers as `powerhose worker` makes them, one at a time and many at once; and the same way by a
/// worker that does nothing, which is what handing over costs. All of it runs on this machine
/// and is gone afterwards. Keep the machine otherwise quiet.
#[derive(Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Example:
  powerhose bench --exec 'python3 render.py' --input page.json --workers 4"
)]
pub(crate) struct Bench {
    /// The program and its arguments, as for `powerhose worker`
    #[arg(long, value_name = "CMD")]
    exec: String,

    /// The file that holds the job
    #[arg(long, value_name = "FILE")]
    input: PathBuf,

    /// How many jobs to do in each way
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    jobs: u32,

    /// How many workers to start
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=64))]
    workers: u16,

    /// The program is started anew for each job
    #[arg(long)]
    per_job: bool,

    /// How long a job may take
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = humantime::parse_duration)]
    timeout: Duration,

    /// Print the figures as JSON
    #[arg(long)]
    json: bool,
}

/// What was measured. Times are in microseconds.
#[derive(Serialize)]
struct Report {
    direct: Figures,
    offloaded_one_at_a_time: Figures,
    offloaded: Figures,
    workers: u16,
    hand_over: Figures,
    /// Jobs that take longer than this keep a service busier than handing them over does.
    break_even_us: f64,
    worth_it: bool,
    verdict: String,
}

impl Bench {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let job = std::fs::read(&self.input).map_err(|error| {
            let why = format!("--input {:?}: {error}", self.input);
            Failure::new(ExitCode::NoInput, why)
        })?;
        let job = Bytes::from(job);
        let runtime = (tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build())
        .map_err(|error| Failure::system("start threads", &error))?;
        let report = runtime.block_on(self.measure(&job))?;
        if self.json {
            output::json(&report)
        } else {
            output::text(&report.text())
        }
    }

    async fn measure(&self, job: &Bytes) -> Result<Report, Failure> {
        let direct = self.direct(job)?;
        let directory = tempfile::tempdir()
            .map_err(|error| Failure::system("make a temporary folder", &error))?;
        let endpoint = |name| format!("ipc://{}/{name}", directory.path().display());

        let runner = JobRunner::bind(endpoint("jobs"))?;
        let pool = pool::Pool::start(
            &self.exec,
            self.per_job,
            self.workers,
            &runner.endpoints()[0],
        )?;
        pool.wait(&runner).await?;
        let one = ask(&runner, job, self.jobs, self.timeout, "one at a time").await?;
        let at_once = usize::from(self.workers) * 4;
        let many = ask_many(
            &runner,
            job,
            self.jobs,
            self.timeout,
            at_once,
            "many at once",
        )
        .await?;
        // Before their master, which they would look for.
        drop(pool);
        runner.shutdown(Duration::from_secs(5)).await;

        let runner = JobRunner::bind(endpoint("empty"))?;
        let idle = Worker::builder()
            .connect(&runner.endpoints()[0])
            .handle_signals(false)
            .handler(|_| Ok(Bytes::new()))
            .build()?;
        let stopper = idle.stopper();
        let thread = std::thread::spawn(move || idle.run());
        (runner.wait_for_workers(1, Duration::from_secs(30)).await)
            .map_err(|error| Failure::new(ExitCode::Unavailable, error.to_string()))?;
        let hand_over = ask_many(
            &runner,
            job,
            self.jobs.max(5000),
            self.timeout,
            64,
            "handing over",
        )
        .await?;
        stopper.drain();
        // Its end is no news, whichever it is.
        let _ = thread.join();
        runner.shutdown(Duration::from_secs(5)).await;
        Ok(Report::new(direct, one, many, hand_over, self.workers))
    }

    fn direct(&self, job: &Bytes) -> Result<Figures, Failure> {
        let program = worker::start(&self.exec, self.per_job, 1, |program| program)?;
        let figures = measure::direct(self.jobs, "alone", || {
            (program.call(job, self.timeout))
                .map(drop)
                .map_err(|error| {
                    Failure::new(
                        ExitCode::Unavailable,
                        format!("--exec {:?}: {error}", self.exec),
                    )
                })
        })?;
        program.close(Duration::from_secs(1));
        Ok(figures)
    }
}

impl Report {
    fn new(direct: Figures, one: Figures, many: Figures, hand_over: Figures, workers: u16) -> Self {
        let break_even_us = 1e6 / hand_over.jobs_per_second;
        let added = (one.p50_us - direct.p50_us).max(0.0);
        let gain = many.jobs_per_second / direct.jobs_per_second;
        let worth_it = direct.mean_us > 2.0 * break_even_us;
        let mut verdict = format!(
            "Handing a job over occupies the service for about {}, doing it for {}. ",
            time(break_even_us),
            time(direct.mean_us)
        );
        verdict += if worth_it {
            "Offloading is worth it"
        } else if direct.mean_us > break_even_us {
            "Offloading is hardly worth it"
        } else {
            "Offloading is not worth it"
        };
        let _ = write!(
            verdict,
            ": a job takes {} longer on its way, and {workers} workers do {gain:.1} times as many as one caller that waits for each.",
            time(added)
        );
        Self {
            direct,
            offloaded_one_at_a_time: one,
            offloaded: many,
            workers,
            hand_over,
            break_even_us,
            worth_it,
            verdict,
        }
    }

    fn text(&self) -> String {
        let mut text = format!(
            "{:<34}{:>10}{:>10}{:>10}{:>10}{:>12}\n",
            "", "mean", "p50", "p90", "p99", "jobs/s"
        );
        let many = format!("through the master, {} workers", self.workers);
        for (name, figures) in [
            ("the program alone", &self.direct),
            (
                "through the master, one at a time",
                &self.offloaded_one_at_a_time,
            ),
            (&many, &self.offloaded),
            ("through the master, doing nothing", &self.hand_over),
        ] {
            let times = [
                figures.mean_us,
                figures.p50_us,
                figures.p90_us,
                figures.p99_us,
            ];
            let _ = write!(text, "{name:<34}");
            for us in times {
                let _ = write!(text, "{:>10}", time(us));
            }
            let _ = writeln!(text, "{:>12.0}", figures.jobs_per_second);
        }
        let _ = writeln!(text, "\n{}", self.verdict);
        text
    }
}

/// A time as people read it.
fn time(us: f64) -> String {
    if us < 1000.0 {
        format!("{us:.0} µs")
    } else if us < 1e6 {
        format!("{:.1} ms", us / 1e3)
    } else {
        format!("{:.1} s", us / 1e6)
    }
}
