//! `GET /.well-known/jwks.json`: the keys to verify JWTs of this server with.

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::State,
    http::{HeaderName, HeaderValue, header::CACHE_CONTROL},
};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{app::App, clock::Arrival, current::Current, failure::Failure};

/// Keys are published before they sign, so services need not look more often.
const CACHING: HeaderValue = HeaderValue::from_static("public, max-age=300");

#[derive(Serialize)]
pub(crate) struct Jwks {
    keys: Vec<Map<String, Value>>,
}

pub(crate) async fn jwks(
    State(app): State<App>,
    Extension(current): Extension<Arc<Current>>,
    Extension(arrival): Extension<Arrival>,
) -> Result<([(HeaderName, HeaderValue); 1], Json<Jwks>), Failure> {
    let described = current.key_ring.describe(app.crypto(), &arrival).await?;
    let keys = described.iter().map(|key| key.jwk.clone()).collect();
    Ok(([(CACHE_CONTROL, CACHING)], Json(Jwks { keys })))
}
