use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::Value;
use tokio::net::TcpListener;

/// Serves support documents by the host that a request names.
pub(crate) async fn publish(documents: Value) -> String {
    let router = Router::new()
        .route("/.well-known/browserid", get(document))
        .with_state(Arc::new(documents));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("it is bound"));
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

async fn document(State(documents): State<Arc<Value>>, headers: HeaderMap) -> Response {
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    let Some(document) = host.and_then(|host| documents.get(host)) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let status = document["status"]
        .as_u64()
        .and_then(|status| u16::try_from(status).ok());
    let status = StatusCode::from_u16(status.expect("a status")).expect("a status");
    let kind = document["content_type"]
        .as_str()
        .expect("a content type")
        .to_owned();
    let body = match &document["body"] {
        Value::String(text) => text.clone(),
        body => body.to_string(),
    };
    (status, [(header::CONTENT_TYPE, kind)], body).into_response()
}
