//! Asking servers that the operator has named: small JSON documents, within limits, never a redirect.

use std::error::Error as _;

use reqwest::{Client, RequestBuilder, Response, StatusCode, Url, header::ACCEPT, redirect};

/// Why there is no answer that could be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum OutboundError {
    /// The server could not be asked, or gave no whole answer in time.
    #[error("{0}")]
    Unavailable(String),
    /// The server answered with another status than 200.
    #[error("the server answered {0}")]
    Refused(StatusCode),
    /// The server answered something that is not what was asked for.
    #[error("the answer {0}")]
    Unusable(&'static str),
}

/// The HTTP client could not be set up.
#[derive(Debug, thiserror::Error)]
#[error("cannot set up HTTPS ({0}); install the system's root certificates")]
pub struct ClientError(#[source] reqwest::Error);

/// A client for servers at `urls`. Where all of them are plain HTTP, a machine without root
/// certificates will do. It follows no redirect and asks no proxy, and sets no time limit.
///
/// # Errors
///
/// [`ClientError`] when HTTPS is needed and there are no root certificates.
pub fn client<'a>(urls: impl IntoIterator<Item = &'a Url>) -> Result<Client, ClientError> {
    let plain = urls.into_iter().all(|url| url.scheme() == "http");
    let builder = Client::builder()
        .user_agent(concat!("token-server/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .no_proxy();
    let builder = if plain {
        builder.tls_certs_only([])
    } else {
        builder
    };
    builder.build().map_err(ClientError)
}

/// One request, no second attempt. The body of a 200.
pub(crate) async fn ask(
    request: RequestBuilder,
    max_bytes: usize,
) -> Result<Vec<u8>, OutboundError> {
    let response = request
        .header(ACCEPT, "application/json")
        .send()
        .await
        .map_err(unavailable)?;
    match response.status() {
        StatusCode::OK => body(response, max_bytes).await,
        status => Err(OutboundError::Refused(status)),
    }
}

async fn body(mut response: Response, max_bytes: usize) -> Result<Vec<u8>, OutboundError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(unavailable)? {
        if body.len() + chunk.len() > max_bytes {
            return Err(OutboundError::Unusable("is too large"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn unavailable(error: reqwest::Error) -> OutboundError {
    OutboundError::Unavailable(cause(error))
}

/// The innermost cause, which says more than reqwest itself. The URL is known to whoever reads it.
#[must_use]
pub fn cause(error: reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = inner.to_string();
        cause = inner.source();
    }
    text
}
