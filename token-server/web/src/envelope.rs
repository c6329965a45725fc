//! What is around every request, whatever its route: limits, a deadline, an id, a log line, and the
//! headers that every answer has.

use std::{future::poll_fn, pin::Pin, sync::Arc, time::Instant};

use axum::{
    body::{Body, Bytes, HttpBody},
    extract::{MatchedPath, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, header::X_CONTENT_TYPE_OPTIONS},
    middleware::Next,
    response::{IntoResponse, Response},
};
use tokio::time::{timeout, timeout_at};
use tracing::Instrument;

use crate::{
    answer::Reason,
    app::App,
    clock::{self, Arrival},
    failure::Failure,
    forwarded::{Origin, Peer},
    settings::Http,
};

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const X_TIMESTAMP: HeaderName = HeaderName::from_static("x-timestamp");

/// Longest id that is taken over from a proxy, in characters.
const MAX_ID_CHARS: usize = 64;

pub(crate) async fn envelope(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let peer = request.extensions().get::<Peer>().map(|peer| peer.0);
    let current = app.current();
    let limits = &current.settings.http;
    let origin = Origin::of(peer, request.headers(), &limits.trusted_proxies);
    let route = request.extensions().get::<MatchedPath>().cloned();
    let id = request_id(request.headers());
    // At the level of errors, so that no line of a request lacks its id, whatever the filter.
    let span = tracing::error_span!(
        "request",
        id = id.to_str().unwrap_or_default(),
        method = %request.method(),
        path = request.uri().path(),
        client = origin.client.map(tracing::field::display),
    );
    request.extensions_mut().insert(origin);
    request.extensions_mut().insert(Arc::clone(&current));
    let mut response = bounded(limits, request, next)
        .instrument(span.clone())
        .await;

    span.in_scope(|| log(&response, started));
    let reason = response.extensions().get::<Reason>();
    app.metrics().request(
        route.as_ref().map_or("none", MatchedPath::as_str),
        response.status().as_u16(),
        reason.map_or("", |reason| reason.code),
        started.elapsed(),
    );

    let headers = response.headers_mut();
    headers.insert(X_REQUEST_ID, id);
    headers.insert(X_TIMESTAMP, HeaderValue::from(clock::now_ms() / 1000));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

async fn bounded(limits: &Http, request: Request, next: Next) -> Response {
    if let Err(failure) = check_size(&request, limits) {
        return failure.into_response();
    }
    let (mut parts, body) = request.into_parts();
    let received = timeout(limits.request_timeout, discard(body, limits.max_body_bytes));
    if let Err(failure) = received.await.unwrap_or(Err(Failure::BodyTooSlow)) {
        return failure.into_response();
    }
    // Now that the client has had its time: what it took is none of the server's.
    let arrival = Arrival::now(limits.request_timeout);
    parts.extensions.insert(arrival);
    let request = Request::from_parts(parts, Body::empty());
    timeout_at(arrival.deadline, next.run(request))
        .await
        .unwrap_or_else(|_| Failure::Deadline.into_response())
}

/// Takes in a body. No route wants one, but the connection's next request comes behind it.
async fn discard(mut body: Body, limit: u64) -> Result<(), Failure> {
    let mut received = 0;
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        let frame = frame.map_err(|_| Failure::BodyMalformed)?;
        let length = frame.data_ref().map_or(0, Bytes::len);
        received += u64::try_from(length).unwrap_or(u64::MAX);
        if received > limit {
            return Err(Failure::BodyTooLarge);
        }
    }
    Ok(())
}

fn check_size(request: &Request, limits: &Http) -> Result<(), Failure> {
    let lines = request.headers().iter();
    // As on the wire: name, colon, space, value, line end.
    let head: usize = lines
        .map(|(name, value)| name.as_str().len() + value.len() + 4)
        .sum();
    let target = request
        .uri()
        .path_and_query()
        .map_or(0, |target| target.as_str().len());
    if head + target > limits.max_header_bytes {
        return Err(Failure::HeadTooLarge);
    }
    // At least that much: what has no length yet is counted as it comes.
    if request.body().size_hint().lower() > limits.max_body_bytes {
        return Err(Failure::BodyTooLarge);
    }
    Ok(())
}

/// The proxy's id, so that logs can be joined, or a new one.
fn request_id(headers: &HeaderMap) -> HeaderValue {
    let usable = |value: &&HeaderValue| {
        let bytes = value.as_bytes();
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
        (1..=MAX_ID_CHARS).contains(&bytes.len()) && bytes.iter().all(plain)
    };
    headers
        .get(X_REQUEST_ID)
        .filter(usable)
        .cloned()
        .unwrap_or_else(|| {
            let id = format!("{:016x}", rand::random::<u64>());
            HeaderValue::from_str(&id).expect("hexadecimal digits are fine in a header")
        })
}

/// One line per request: of what went well only those who debug want to read.
fn log(response: &Response, started: Instant) {
    let status = response.status().as_u16();
    let micros = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
    let reason: Option<&Reason> = response.extensions().get();
    let code = reason.map(|reason| reason.code);
    let detail = reason.and_then(|reason| reason.detail.as_deref());
    match status {
        500.. => tracing::warn!(status, micros, code, detail, "failed"),
        400.. => tracing::info!(status, micros, code, "refused"),
        _ => tracing::debug!(status, micros, "answered"),
    }
}
