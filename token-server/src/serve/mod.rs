mod keys;
mod reading;

use std::{net::SocketAddr, path::PathBuf};

use clap::Args;
use powerhose::service_manager;
use serde::Serialize;
use token_server_web::{Identities, settings::Settings};

use crate::{
    failure::Failure,
    listen::listen,
    log,
    manager::tell,
    output,
    service::{self, Service},
    signals::StopSignals,
};

/// Serve tokens, with crypto workers as child processes or at a standalone master.
///
/// Settings come from the file, then from environment variables such as
/// TOKEN_SERVER__BROWSERID__AUDIENCE, then from the command line; the last one counts. SIGHUP reads them
/// and the files that they name again, and so changes secrets, keys, applications and issuers while
/// requests are answered. SIGTERM and SIGINT let requests in flight finish; a second signal doesn't.
#[derive(Args)]
pub(crate) struct Serve {
    /// Settings file, in TOML.
    #[arg(short, long, value_name = "FILE", env = "TOKEN_SERVER_SETTINGS")]
    settings: Option<PathBuf>,

    /// Address to listen on, instead of the setting http.listen. Port 0 takes any free one.
    #[arg(short, long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,

    /// Change any setting, such as browserid.gateway=http://127.0.0.1:8080.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = assignment)]
    assignments: Vec<(String, String)>,

    /// Only check the settings, and the files that they name.
    #[arg(long)]
    check: bool,

    /// Say in JSON when and where requests are answered.
    #[arg(long)]
    json: bool,
}

/// What is printed once requests are answered.
#[derive(Serialize)]
struct Ready<'a> {
    url: &'a str,
    endpoints: &'a [String],
    masters: &'a [String],
    /// Where `/metrics` has a listener of its own.
    metrics: Option<&'a str>,
    worker_pids: Vec<u32>,
}

impl Serve {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let settings = self.read()?;
        log::start(&settings.log)?;
        if self.check {
            Identities::new(&settings)?;
            return output::text("the settings are fine\n");
        }
        let runtime = service::runtime()?;
        let served = runtime.block_on(self.serve(settings));
        // A file that is being read, and is slow, must not keep the process.
        runtime.shutdown_background();
        served
    }

    async fn serve(self, settings: Settings) -> Result<(), Failure> {
        let (signals, hangups) = StopSignals::of_server()?;
        let remedy = "stop whoever uses it, or choose another one with --listen or http.listen";
        let listener = listen(settings.http.listen, remedy).await?;
        let service = Service::start(settings, listener).await?;
        let (url, pool) = (service.url(), service.pool());
        if self.json {
            output::json(&Ready {
                url,
                endpoints: pool.endpoints(),
                masters: pool.masters(),
                metrics: service.metrics_url(),
                worker_pids: pool.worker_pids(),
            })?;
        } else {
            output::text(&format!("serving tokens at {url}\n"))?;
        }
        tell(service_manager::READY).await;
        let app = service.app().clone();
        let rereading = tokio::spawn(reading::follow(self, hangups, signals.clone(), app));
        service.run(signals.clone().first(), signals.second()).await;
        rereading.abort();
        Ok(())
    }
}

pub(crate) fn assignment(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("must be of the form KEY=VALUE".to_owned()),
    }
}
