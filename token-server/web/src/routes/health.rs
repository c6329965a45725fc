//! What load balancers and deployments ask.

use std::{sync::Arc, time::Duration};

use axum::{
    Extension, Json,
    extract::State,
    http::{HeaderValue, StatusCode, header::RETRY_AFTER},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    app::App,
    clock::Arrival,
    current::Current,
    failure::Failure,
    jobs::Health as JobsHealth,
    store::{Store, StoreError},
};

/// How long the database may take to answer a health check, and when to ask again.
const PING: Duration = Duration::from_secs(2);

/// Whether the process answers at all.
pub(crate) async fn load_balancer() -> Json<Value> {
    Json(json!({}))
}

#[derive(Serialize)]
pub(crate) struct Health {
    status: &'static str,
    version: &'static str,
    database: &'static str,
    workers: &'static str,
    /// Only where the workers are a standalone master's.
    #[serde(skip_serializing_if = "Option::is_none")]
    master: Option<&'static str>,
}

/// Whether the process can issue tokens.
pub(crate) async fn heartbeat(
    State(app): State<App>,
    Extension(current): Extension<Arc<Current>>,
    Extension(arrival): Extension<Arrival>,
) -> Response {
    let (database, jobs) = tokio::join!(
        ping(app.store(), arrival.share(PING)),
        app.crypto().health(&arrival)
    );
    let is_shared = !current.settings.workers.master.is_empty();
    let healthy = database && jobs == JobsHealth::Ok;
    let health = Health {
        status: if healthy { "Ok" } else { "Err" },
        version: env!("CARGO_PKG_VERSION"),
        database: if database { "Ok" } else { "Unknown" },
        workers: match jobs {
            JobsHealth::Ok => "Ok",
            JobsHealth::NoWorkers => "None",
            JobsHealth::NoMaster => "Unknown",
        },
        master: is_shared.then_some(match jobs {
            JobsHealth::NoMaster => "None",
            JobsHealth::Ok | JobsHealth::NoWorkers => "Ok",
        }),
    };
    if healthy {
        Json(health).into_response()
    } else {
        let later = [(RETRY_AFTER, HeaderValue::from(PING.as_secs()))];
        (StatusCode::SERVICE_UNAVAILABLE, later, Json(health)).into_response()
    }
}

/// Whether the database answers within `timeout`.
async fn ping(store: &Store, timeout: Duration) -> bool {
    let outcome = match tokio::time::timeout(timeout, store.ping()).await {
        Ok(outcome) => outcome,
        Err(_) => Err(StoreError::Silent(timeout)),
    };
    if let Err(error) = &outcome {
        tracing::error!(%error, "the database doesn't answer");
    }
    outcome.is_ok()
}

/// Fails, so that whoever watches over errors can be tested.
pub(crate) async fn error() -> Failure {
    Failure::OnPurpose
}

/// Which build this is: what the packaging says, or else the version that was compiled in.
pub(crate) async fn version(Extension(current): Extension<Arc<Current>>) -> Json<Value> {
    Json(match &current.settings.http.version {
        Some(version) => Value::Object(version.clone()),
        None => json!({ "name": "token-server", "version": env!("CARGO_PKG_VERSION") }),
    })
}
