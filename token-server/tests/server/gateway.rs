use std::sync::Arc;

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode, header::CONTENT_TYPE, header::HOST},
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::Value;
use tokio::net::TcpListener;

use crate::vectors::text;

/// Serves the support documents of a vector file for every host in it; others answer 404. The URL.
pub(crate) async fn start(documents: Value) -> String {
    let router = Router::new()
        .route("/.well-known/browserid", get(answer))
        .with_state(Arc::new(documents));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

async fn answer(State(documents): State<Arc<Value>>, headers: HeaderMap) -> Response {
    let host = headers[HOST].to_str().unwrap();
    let Some(document) = documents.get(host) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let status = document["status"]
        .as_u64()
        .and_then(|status| u16::try_from(status).ok());
    let body = match &document["body"] {
        Value::String(text) => text.clone(),
        body => body.to_string(),
    };
    let status = StatusCode::from_u16(status.unwrap()).unwrap();
    let content_type = text(document, "content_type").to_owned();
    (status, [(CONTENT_TYPE, content_type)], body).into_response()
}
