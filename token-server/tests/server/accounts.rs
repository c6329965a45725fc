use axum::{
    Json, Router,
    http::StatusCode,
    routing::{get, post},
};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// Mozilla's accounts server, as far as its OAuth API is asked: it publishes `jwks` and knows no token.
/// The URL.
pub(crate) async fn start(jwks: Value) -> String {
    let keys = move || async move { Json(jwks) };
    let refusal = || async {
        let body = json!({ "code": 400, "errno": 108, "error": "Bad Request" });
        (StatusCode::BAD_REQUEST, Json(body))
    };
    let router = Router::new()
        .route("/v1/jwks", get(keys))
        .route("/v1/verify", post(refusal));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}
