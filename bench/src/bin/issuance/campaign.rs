//! Who takes turns, in which order, for how long.

use std::path::Path;
use std::time::Duration;

use bench::usage;
use hdrhistogram::Histogram;
use tokio::runtime;

use crate::Error;
use crate::credentials::{self, Credentials};
use crate::health::Prober;
use crate::load::{self, Sample};
use crate::server::{Server, Wanted};

/// Where the crypto happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Crypto {
    /// In worker processes: the product as it is.
    Offloaded,
    /// In blocking threads of the web process.
    SpawnBlocking,
    /// In the web process's handlers.
    Inline,
}

pub(crate) const ALL: [Crypto; 3] = [Crypto::Offloaded, Crypto::SpawnBlocking, Crypto::Inline];

/// What is measured.
pub(crate) struct Plan {
    pub(crate) rounds: usize,
    pub(crate) turn: Duration,
    pub(crate) connections: usize,
    pub(crate) workers: usize,
    pub(crate) database: Option<String>,
}

impl Plan {
    pub(crate) fn steps(&self) -> u64 {
        let turns = (1 + ALL.len() * credentials::ALL.len()) * (1 + self.rounds);
        (1 + turns) as u64
    }
}

/// One turn of one server.
pub(crate) struct Turn {
    /// `None` for the control.
    pub(crate) what: Option<(Crypto, Credentials)>,
    pub(crate) sample: Sample,
    /// Of the server and its workers.
    pub(crate) cpu: Duration,
    /// Of the health endpoint, in microseconds.
    pub(crate) health: Histogram<u64>,
}

/// Starts all servers and lets them take turns; the first round is to warm up. `said` is told what is being done.
pub(crate) fn run(plan: &Plan, mut said: impl FnMut(String)) -> Result<Vec<Turn>, Error> {
    // One thread is enough to saturate the servers, and leaves them the rest of the machine.
    let executor = runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let directory = tempfile::Builder::new().prefix("issuance").tempdir()?;
    executor.block_on(async {
        said("starting servers".to_owned());
        let wanted = Wanted {
            gateway: credentials::publish().await?,
            jwks: credentials::write_jwks(directory.path())?,
            workers: plan.workers,
            database: plan.database.clone(),
            crypto: None,
        };
        let control = start(directory.path(), "hello", &wanted).await?;
        let mut servers = Vec::new();
        for crypto in ALL {
            let name = format!("{crypto:?}");
            let wanted = Wanted {
                crypto: Some(crypto),
                ..wanted.clone()
            };
            servers.push((crypto, start(directory.path(), &name, &wanted).await?));
        }
        let mut turns = Vec::new();
        for round in 0..=plan.rounds {
            said(format!("round {round}: hello"));
            let hello = load::request("/", None);
            let turn = turn(plan, &control, &hello, None).await?;
            turns.extend((round > 0).then_some(turn));
            for credentials in credentials::ALL {
                let request = load::request("/1.0/sync/1.5", Some(&credentials.authorization()?));
                for (crypto, server) in &servers {
                    said(format!("round {round}: {credentials}, {crypto:?}"));
                    let what = Some((*crypto, credentials));
                    let turn = self::turn(plan, server, &request, what).await?;
                    turns.extend((round > 0).then_some(turn));
                }
            }
        }
        Ok(turns)
    })
}

async fn start(directory: &Path, name: &str, wanted: &Wanted) -> Result<Server, Error> {
    let place = directory.join(name);
    std::fs::create_dir(&place)?;
    let wanted = wanted.clone();
    tokio::task::spawn_blocking(move || Server::start(&place, &wanted)).await?
}

async fn turn(
    plan: &Plan,
    server: &Server,
    request: &[u8],
    what: Option<(Crypto, Credentials)>,
) -> Result<Turn, Error> {
    let prober = Prober::start(server.address);
    let before = usage::cpu_time(&server.processes)?;
    let sample = load::run(server.address, request, plan.connections, plan.turn).await?;
    let cpu = usage::cpu_time(&server.processes)?.saturating_sub(before);
    Ok(Turn {
        what,
        sample,
        cpu,
        health: prober.stop()?,
    })
}
