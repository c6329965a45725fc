//! The running service: listener, application and pool of workers, started in the order in which they
//! need each other and stopped the other way round.

use std::time::Duration;

use powerhose::service_manager;
use token_server_web::{
    App, Identities,
    access::AccessLists,
    app, metrics_app,
    server::{self, Drained},
    settings::{Http, Settings},
    store::Store,
};
use tokio::{net::TcpListener, runtime::Runtime};

use crate::{
    failure::Failure,
    listen,
    manager::tell,
    nodes,
    pool::{GRACE, Pool},
};

/// What the database gets to close its file.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

pub(crate) struct Service {
    app: App,
    pool: Pool,
    listener: TcpListener,
    /// Where `/metrics` has a listener of its own.
    metrics: Option<TcpListener>,
    metrics_url: Option<String>,
    url: String,
    http: Http,
}

pub(crate) fn runtime() -> Result<Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::system("start threads", &error))
}

impl Service {
    /// Starts everything. Requests are accepted from [`run`](Self::run) on.
    pub(crate) async fn start(settings: Settings, listener: TcpListener) -> Result<Self, Failure> {
        let url = format!("http://{}", listen::address(&listener)?);
        let metrics = match settings.metrics.listen {
            Some(address) => {
                Some(listen::listen(address, "set metrics.listen to another one").await?)
            }
            None => None,
        };
        let metrics_url = match &metrics {
            Some(listener) => Some(format!("http://{}", listen::address(listener)?)),
            None => None,
        };
        let store = Store::open(&settings.database, settings.nodes.capacity_release_rate).await?;
        nodes::prepare(&store, &settings).await?;
        let identities = Identities::new(&settings)?;
        let access = AccessLists::open(&settings.users, &store).await?;
        let pool = Pool::start(&settings).await?;
        Ok(Self {
            http: settings.http.clone(),
            app: App::new(settings, store, identities, access, pool.jobs()),
            pool,
            listener,
            metrics,
            metrics_url,
            url,
        })
    }

    pub(crate) fn app(&self) -> &App {
        &self.app
    }

    pub(crate) fn pool(&self) -> &Pool {
        &self.pool
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Where `/metrics` is, if not where requests are answered.
    pub(crate) fn metrics_url(&self) -> Option<&str> {
        self.metrics_url.as_deref()
    }

    /// Answers requests until `stop` completes, then drains. `abort` ends that at once.
    pub(crate) async fn run(self, stop: impl Future<Output = ()>, abort: impl Future<Output = ()>) {
        let settings = &self.http;
        let stop = async {
            stop.await;
            tell(service_manager::STOPPING).await;
            tracing::info!("stopping");
        };
        let observed = tokio::spawn(observe(self.app.clone(), self.metrics, self.http.clone()));
        let serving = server::serve(self.listener, app(self.app.clone()), settings, stop);
        let grace = tokio::select! {
            drained = serving => {
                if drained == Drained::CutShort {
                    tracing::warn!("requests were cut off: http.drain_timeout has passed");
                }
                GRACE
            }
            () = abort => Duration::ZERO,
        };
        observed.abort();
        // No request is left, so no job is.
        self.pool.stop(grace).await;
        // Folds the journal in; a query that hangs must not keep the process from ending.
        let closing = self.app.store().close();
        if tokio::time::timeout(CLOSE_TIMEOUT, closing).await.is_err() {
            tracing::warn!("the database is still in use");
        }
    }
}

/// Serves `/metrics` where it has a listener of its own, until aborted.
async fn observe(app: App, listener: Option<TcpListener>, settings: Http) {
    let Some(listener) = listener else {
        return app.upkeep().await;
    };
    let router = metrics_app(app.clone());
    tokio::join!(
        app.upkeep(),
        server::serve(listener, router, &settings, std::future::pending())
    );
}
