//! What load balancers and deployments ask.

use axum::{Extension, Json, extract::State, http::StatusCode};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{app::App, clock::Arrival, failure::Failure, jobs::Health as JobsHealth};

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
    Extension(arrival): Extension<Arrival>,
) -> (StatusCode, Json<Health>) {
    let (database, jobs) = tokio::join!(app.store().ping(), app.crypto().health(&arrival));
    if let Err(error) = &database {
        tracing::error!(%error, "the database doesn't answer");
    }
    let is_shared = !app.settings().workers.master.is_empty();
    let healthy = database.is_ok() && jobs == JobsHealth::Ok;
    let health = Health {
        status: if healthy { "Ok" } else { "Err" },
        version: env!("CARGO_PKG_VERSION"),
        database: if database.is_ok() { "Ok" } else { "Unknown" },
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
    let status = if healthy {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, Json(health))
}

/// Fails, so that whoever watches over errors can be tested.
pub(crate) async fn error() -> Failure {
    Failure::OnPurpose
}

/// Which build this is: what the packaging says, or else the version that was compiled in.
pub(crate) async fn version(State(app): State<App>) -> Json<Value> {
    Json(match &app.settings().http.version {
        Some(version) => Value::Object(version.clone()),
        None => json!({ "name": "token-server", "version": env!("CARGO_PKG_VERSION") }),
    })
}
