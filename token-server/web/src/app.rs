use std::sync::Arc;

use arc_swap::ArcSwap;
use axum::{
    Router, middleware,
    routing::{get, post},
};

use crate::{
    access::AccessLists,
    current::{Current, Successor},
    envelope,
    failure::Failure,
    identity::{Identities, IdentitiesError},
    jobs::{Crypto, Jobs},
    metrics::{self, Metrics},
    routes::{discovery, events, health, jwks, token},
    settings::Settings,
    store::Store,
};

/// What requests share. Cheap to clone.
#[derive(Clone, Debug)]
pub struct App(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    current: ArcSwap<Current>,
    store: Store,
    access: AccessLists,
    crypto: Crypto,
    metrics: Arc<Metrics>,
}

impl App {
    /// Puts the parts together. Whoever does the jobs has to offer the services of
    /// [`crypto_jobs`].
    #[must_use]
    pub fn new(
        settings: Settings,
        store: Store,
        identities: Identities,
        access: AccessLists,
        jobs: Arc<dyn Jobs>,
    ) -> Self {
        let metrics = Arc::new(Metrics::new().expect("the buckets are in order"));
        Self(Arc::new(Parts {
            current: ArcSwap::from_pointee(Current::new(settings, identities)),
            store,
            access,
            crypto: Crypto::new(jobs, Arc::clone(&metrics)),
            metrics,
        }))
    }

    /// Makes everything from settings that were read again, for [`follow`](Self::follow). Those of the
    /// sockets, the database, the workers, the lists of users, the metrics and the log stay as they are:
    /// they take a restart. What is known of issuers whose settings stay is kept. May take as long as the
    /// files do that it reads.
    ///
    /// # Errors
    ///
    /// [`IdentitiesError`] as for [`Identities::new`].
    pub fn succeed(&self, settings: Settings) -> Result<Successor, IdentitiesError> {
        self.0.current.load().successor(settings)
    }

    /// Follows these settings from the next request on. Requests in flight go on with what they began with.
    pub fn follow(&self, successor: Successor) {
        self.0.current.store(successor.current);
    }

    /// Users and nodes.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.0.store
    }

    /// Who may get tokens.
    #[must_use]
    pub fn access(&self) -> &AccessLists {
        &self.0.access
    }

    /// Keeps the samples of `/metrics` from piling up while nobody asks for them. Never completes;
    /// whoever serves the application runs it beside.
    pub async fn upkeep(&self) {
        self.0.metrics.upkeep().await;
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    /// What a request that begins now follows.
    pub(crate) fn current(&self) -> Arc<Current> {
        self.0.current.load_full()
    }

    pub(crate) fn crypto(&self) -> &Crypto {
        &self.0.crypto
    }
}

/// The HTTP application. It needs no socket: any `tower` caller can ask it.
pub fn app(state: App) -> Router {
    let mut router = Router::new();
    if state.current().settings.metrics.shared {
        router = router.route("/metrics", get(metrics::scrape));
    }
    let router = router
        .route("/", get(discovery::discovery))
        .route("/1.0/{application}/{version}", get(token::trade))
        .route("/.well-known/jwks.json", get(jwks::jwks))
        .route("/1.0/webhooks/fxa/events", post(events::receive))
        .route("/__lbheartbeat__", get(health::load_balancer))
        .route("/__heartbeat__", get(health::heartbeat))
        .route("/__version__", get(health::version))
        .route("/__error__", get(health::error));
    enclose(router, state)
}

/// The application of the listener that the settings can have for `/metrics` alone.
pub fn metrics_app(state: App) -> Router {
    enclose(Router::new().route("/metrics", get(metrics::scrape)), state)
}

/// What every request gets, whatever its route.
fn enclose(router: Router<App>, state: App) -> Router {
    router
        .fallback(|| async { Failure::NotFound })
        .method_not_allowed_fallback(|| async { Failure::MethodNotAllowed })
        .layer(middleware::from_fn_with_state(
            state.clone(),
            envelope::envelope,
        ))
        .with_state(state)
}
