mod directory;
mod issuer;
mod ready;
mod trade;

use std::{
    net::{Ipv4Addr, SocketAddr},
    num::NonZeroUsize,
};

use clap::Args;
use crypto_jobs::{Secret, TokenSecret};
use sysexits::ExitCode;
use token_server_web::store::NewNode;
use tokio::net::TcpListener;

use self::{directory::Directory, issuer::Issuer, ready::Ready};
use crate::{
    failure::Failure,
    listen::{address, listen, listen_preferably},
    log, output,
    service::{self, Service},
    signals::StopSignals,
};

/// The port that is tried when none is asked for.
const USUAL_PORT: u16 = 5000;

/// The storage node that tokens are made for. Nothing runs there.
const NODE: &str = "https://node1.dev.test";

/// Show the whole trade, without any settings.
///
/// Makes a throw-away directory with a database and random secrets, serves the support document of a
/// development issuer, starts crypto workers, and prints a curl line with a fresh assertion. Ctrl-C
/// stops all of it and removes the directory. Everything listens on loopback only.
#[derive(Args)]
pub(crate) struct Dev {
    /// Port to listen on. Without it 5000, or any free one where that is taken.
    #[arg(short, long)]
    port: Option<u16>,

    /// Crypto worker processes.
    #[arg(short, long, value_name = "COUNT", default_value = "2")]
    workers: NonZeroUsize,

    /// Make the trade over HTTP, print the token's claims and the timings, and exit.
    #[arg(long)]
    once: bool,

    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl Dev {
    pub(crate) fn run(self) -> Result<(), Failure> {
        service::runtime()?.block_on(self.show())
    }

    async fn show(self) -> Result<(), Failure> {
        let signals = StopSignals::new()?;
        let stage = Stage::set_up(&self).await?;
        if self.once {
            self.trade_once(stage, signals).await
        } else {
            self.wait_for_trades(stage, signals).await
        }
    }

    async fn wait_for_trades(&self, stage: Stage, signals: StopSignals) -> Result<(), Failure> {
        let email = stage.issuer.email();
        let ready = Ready {
            url: &stage.url,
            authorization: &stage.authorization,
            email: &email,
            directory: stage.directory.path(),
            worker_pids: stage.service.pool().worker_pids(),
        };
        if self.json {
            output::json(&ready)?;
        } else {
            output::text(&ready.to_string())?;
        }
        let stop = signals.clone().first();
        stage.service.run(stop, signals.second()).await;
        Ok(())
    }

    async fn trade_once(&self, stage: Stage, signals: StopSignals) -> Result<(), Failure> {
        let runner = stage.service.pool().runner().cloned().ok_or_else(|| {
            Failure::new(
                ExitCode::Software,
                "the throw-away settings name another master",
            )
        })?;
        let (done, traded) = tokio::sync::oneshot::channel();
        let stop = async {
            tokio::select! {
                // Whether it was made or failed, there is nothing left to serve.
                _ = traded => {}
                () = signals.clone().first() => {}
            }
        };
        let trade = async {
            let traded = trade::make(
                &stage.url,
                &stage.authorization,
                &stage.token_secret,
                &runner,
            )
            .await;
            let _ = done.send(());
            traded
        };
        let serving = stage.service.run(stop, signals.clone().second());
        let ((), traded) = tokio::join!(serving, trade);
        let traded = traded?;
        if self.json {
            output::json(&traded)
        } else {
            output::text(&traded.to_string())
        }
    }
}

/// Everything that a trade needs.
struct Stage {
    service: Service,
    issuer: Issuer,
    url: String,
    authorization: String,
    token_secret: Secret,
    /// Removed after everything that uses it has stopped.
    directory: Directory,
}

impl Stage {
    async fn set_up(options: &Dev) -> Result<Self, Failure> {
        let listener = options.listen().await?;
        let audience = format!("http://{}", address(&listener)?);
        let issuer = Issuer::new()?;
        let publisher = listen(loopback(0), "no port is free").await?;
        let gateway = format!("http://{}", address(&publisher)?);
        issuer.publish(publisher);

        let directory = Directory::make()?;
        let log = if options.once {
            "warn"
        } else {
            "info,token_server_web=debug"
        };
        let settings = directory.settings(&audience, &gateway, options.workers, log)?;
        log::start(&settings.log)?;
        let Some(TokenSecret::Fixed(token_secret)) = settings.secrets.token.newest(NODE) else {
            return Err(Failure::new(
                ExitCode::Software,
                "the throw-away settings have no secret",
            ));
        };
        let service = Service::start(settings, listener).await?;
        add_node(&service).await?;
        Ok(Self {
            service,
            url: format!("{audience}/1.0/sync/1.5"),
            authorization: format!("BrowserID {}", issuer.assertion(&audience)?),
            issuer,
            token_secret,
            directory,
        })
    }
}

impl Dev {
    async fn listen(&self) -> Result<TcpListener, Failure> {
        match self.port {
            Some(port) => {
                let remedy = "stop whoever uses it, or choose another one with --port";
                listen(loopback(port), remedy).await
            }
            None => listen_preferably(loopback(USUAL_PORT)).await,
        }
    }
}

async fn add_node(service: &Service) -> Result<(), Failure> {
    let store = service.app().store();
    let sync = store.service("sync-1.5").await?.ok_or_else(|| {
        Failure::new(
            ExitCode::Software,
            "a new database lacks the service of Sync",
        )
    })?;
    let node = NewNode {
        url: NODE.to_owned(),
        capacity: 1000,
        available: 1000,
        ..NewNode::default()
    };
    store.add_node(sync.id, &node).await?;
    Ok(())
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}
