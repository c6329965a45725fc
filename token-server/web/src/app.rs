use std::sync::Arc;

use axum::{
    Router, middleware,
    routing::{get, post},
};

use crate::{
    access::AccessLists,
    envelope,
    failure::Failure,
    identity::Identities,
    jobs::{Crypto, Jobs},
    metrics::{self, Metrics},
    routes::{discovery, events, health, jwks, token},
    settings::Settings,
    store::Store,
    tokens::KeyRing,
};

/// What requests share. Cheap to clone.
#[derive(Clone, Debug)]
pub struct App(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    settings: Settings,
    store: Store,
    identities: Identities,
    access: AccessLists,
    crypto: Crypto,
    key_ring: KeyRing,
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
        let key_ring = KeyRing::new(settings.secrets.jwt_keys.clone());
        let metrics = Arc::new(Metrics::new().expect("the buckets are in order"));
        Self(Arc::new(Parts {
            settings,
            store,
            identities,
            access,
            crypto: Crypto::new(jobs, Arc::clone(&metrics)),
            key_ring,
            metrics,
        }))
    }

    /// The settings.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// Users and nodes.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.0.store
    }

    /// Everyone who may vouch for users.
    #[must_use]
    pub fn identities(&self) -> &Identities {
        &self.0.identities
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

    pub(crate) fn key_ring(&self) -> &KeyRing {
        &self.0.key_ring
    }

    pub(crate) fn crypto(&self) -> &Crypto {
        &self.0.crypto
    }
}

/// The HTTP application. It needs no socket: any `tower` caller can ask it.
pub fn app(state: App) -> Router {
    let mut router = Router::new();
    if state.settings().metrics.shared {
        router = router.route("/metrics", get(metrics::scrape));
    }
    router
        .route("/", get(discovery::discovery))
        .route("/1.0/{application}/{version}", get(token::trade))
        .route("/.well-known/jwks.json", get(jwks::jwks))
        .route("/1.0/webhooks/fxa/events", post(events::receive))
        .route("/__lbheartbeat__", get(health::load_balancer))
        .route("/__heartbeat__", get(health::heartbeat))
        .route("/__version__", get(health::version))
        .route("/__error__", get(health::error))
        .fallback(|| async { Failure::NotFound })
        .method_not_allowed_fallback(|| async { Failure::MethodNotAllowed })
        .layer(middleware::from_fn_with_state(
            state.clone(),
            envelope::envelope,
        ))
        .with_state(state)
}
