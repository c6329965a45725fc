mod keys;
mod reading;

use std::{net::SocketAddr, path::PathBuf};

use clap::Args;
use powerhose::service_manager::{self, notify};
use serde::Serialize;
use token_server_web::settings::Settings;

use crate::{
    failure::Failure,
    listen::listen,
    log, output,
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

    /// Only check the settings, and the keys that they name.
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
    worker_pids: Vec<u32>,
}

impl Serve {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let settings = self.read()?;
        log::start(&settings.log)?;
        if self.check {
            return output::text("the settings are fine\n");
        }
        service::runtime()?.block_on(self.serve(settings))
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
                worker_pids: pool.worker_pids(),
            })?;
        } else {
            output::text(&format!("serving tokens at {url}\n"))?;
        }
        notify(service_manager::READY);
        let rereading = tokio::spawn(reading::follow(self, hangups, service.app().clone()));
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
