use std::{
    env,
    path::PathBuf,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use clap::Args;
use serde::Serialize;
use sysexits::ExitCode;
use token_server_web::{
    settings::{Settings, Sources},
    store::{Service, Store},
};

use crate::{failure::Failure, log, output, serve::assignment, service};

/// What all of these commands take: where the database is, and which service is meant.
#[derive(Args)]
pub(crate) struct AdminOptions {
    /// Settings file of the server, in TOML.
    #[arg(short, long, value_name = "FILE", env = "TOKEN_SERVER_SETTINGS")]
    settings: Option<PathBuf>,

    /// Change any setting, such as database.url=sqlite:/var/lib/token-server/users.db.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = assignment)]
    assignments: Vec<(String, String)>,

    /// Row of the table of services.
    #[arg(long, value_name = "NAME", default_value = "sync-1.5")]
    service: String,

    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// The database, opened, with the service that is meant.
pub(crate) struct Ground {
    pub(crate) settings: Settings,
    pub(crate) store: Store,
    pub(crate) service: Arc<Service>,
}

impl AdminOptions {
    /// Does `work` on the database.
    pub(crate) fn run<T>(
        &self,
        work: impl AsyncFnOnce(&Ground) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let environment = env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        let settings = Settings::load(&Sources {
            file: self.settings.as_deref(),
            environment,
            assignments: self.assignments.clone(),
        })?;
        log::start(&settings.log)?;
        service::runtime()?.block_on(async {
            let release_rate = settings.nodes.capacity_release_rate;
            let store = Store::open(&settings.database, release_rate).await?;
            let service = store.service(&self.service).await?.ok_or_else(|| {
                let name = &self.service;
                let message = format!(
                    "the table of services has no row {name}; choose another one with --service"
                );
                Failure::new(ExitCode::DataErr, message)
            })?;
            let ground = Ground {
                settings,
                store,
                service,
            };
            let outcome = work(&ground).await;
            ground.store.close().await;
            outcome
        })
    }

    /// The row of the table of services that is meant.
    pub(crate) fn service(&self) -> &str {
        &self.service
    }

    /// Whether JSON is to be printed.
    pub(crate) fn wants_json(&self) -> bool {
        self.json
    }

    /// Prints what was done: `value` with `--json`, or else `text`.
    pub(crate) fn say(&self, value: &impl Serialize, text: &str) -> Result<(), Failure> {
        if self.json {
            output::json(value)
        } else {
            output::text(&format!("{text}\n"))
        }
    }
}

/// There is no node of that URL.
pub(crate) fn no_node(url: &str) -> Failure {
    let message = format!("there is no node {url}; its URL is written as in the table of nodes");
    Failure::new(ExitCode::DataErr, message)
}

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    })
}
