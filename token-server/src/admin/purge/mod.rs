mod report;
mod round;
mod storage;

use std::{
    num::{NonZeroU32, NonZeroU64},
    time::Duration,
};

use clap::Args;
use sysexits::ExitCode;
use token_server_web::settings::NodeUrl;

use self::{report::Report, round::Round, storage::Storage};
use super::options::{AdminOptions, Ground};
use crate::{failure::Failure, signals::StopSignals};

/// Remove users' old records, and what their nodes store for them.
///
/// A record is old when it was replaced longer ago than the grace period: the user has a new encryption
/// key, was moved to another node, taken off one, or is gone. Its node is asked to remove the data, as
/// the user's own client would ask; once it has, the record goes too. Records whose node was removed
/// just go. A node that cannot be asked keeps its records, and the others' turn comes; nodes that are
/// marked as down are not asked.
///
/// Runs until it is told to stop (SIGTERM, Ctrl-C); the request in flight is finished, a second signal
/// doesn't wait for it. Any number of these commands may run at once. With --oneshot the exit code says
/// whether all nodes did their part.
///
/// Example: `token-server purge-old-records --oneshot --grace-period 7days`
#[derive(Args)]
pub(crate) struct PurgeOldRecords {
    /// How long a record is kept after it was replaced.
    #[arg(long, value_name = "DURATION", default_value = "1day", value_parser = humantime::parse_duration)]
    grace_period: Duration,

    /// How long to rest between rounds; up to 30 % more or less, so that several of these commands
    /// don't meet.
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = humantime::parse_duration)]
    purge_interval: Duration,

    /// What a node gets to answer.
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = humantime::parse_duration)]
    request_timeout: Duration,

    /// Records that are read from the database at a time.
    #[arg(long, value_name = "COUNT", default_value = "100")]
    max_per_loop: NonZeroU32,

    /// Most requests to nodes in one round. Default: as many as there are old records.
    #[arg(long, value_name = "COUNT")]
    max_records: Option<NonZeroU64>,

    /// Only the records of this uid and greater ones, so that several of these commands can share the
    /// work.
    #[arg(long, value_name = "UID", default_value = "0")]
    range_start: i64,

    /// Only the records of this uid and smaller ones. Default: no end.
    #[arg(long, value_name = "UID", default_value_t = i64::MAX, hide_default_value = true)]
    range_end: i64,

    /// Make one round and end.
    #[arg(long)]
    oneshot: bool,

    /// Only say what one round would do: no node is asked, and no record removed.
    #[arg(long)]
    dryrun: bool,

    /// Remove the records at nodes that are marked as down, too, without asking these.
    #[arg(long)]
    force: bool,

    /// Ask this node instead of those that are marked as down: it has their data.
    #[arg(long, value_name = "URL", requires = "force")]
    override_node: Option<NodeUrl>,

    #[command(flatten)]
    options: AdminOptions,
}

impl PurgeOldRecords {
    pub(crate) fn run(self) -> Result<(), Failure> {
        if self.range_start > self.range_end {
            let message = "--range-end is less than --range-start, so no record is meant";
            return Err(Failure::new(ExitCode::Usage, message));
        }
        self.options.run(async |ground| {
            let signals = StopSignals::new()?;
            tokio::select! {
                outcome = self.rounds(ground, &signals) => outcome,
                () = signals.clone().second() => Ok(()),
            }
        })
    }

    async fn rounds(&self, ground: &Ground, signals: &StopSignals) -> Result<(), Failure> {
        let mut storage = Storage::new(ground, self.options.service(), self.request_timeout)?;
        loop {
            let round = Round::new(self, ground, &mut storage, signals);
            let outcome = round.run().await;
            if let Ok(report) = &outcome {
                self.options.say(report, &report.to_string())?;
            }
            if self.oneshot || self.dryrun {
                return outcome.and_then(|report| judge(&report));
            }
            // The database may be back for the next round.
            if let Err(failure) = outcome {
                tracing::error!("{failure}");
            }
            let rest = self
                .purge_interval
                .mul_f64(0.7 + 0.6 * rand::random::<f64>());
            tokio::select! {
                () = tokio::time::sleep(rest) => {}
                () = signals.clone().first() => return Ok(()),
            }
        }
    }
}

fn judge(report: &Report) -> Result<(), Failure> {
    match report.trouble() {
        None => Ok(()),
        Some(trouble) => Err(Failure::new(
            ExitCode::Unavailable,
            format!(
                "some records had to stay: {trouble}; see to these nodes and run it again, or mark them with: token-server update-node NODE --downed"
            ),
        )),
    }
}
