//! What clients show, taken from the vectors: both are good until 2100 or so.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Router, routing::get};
use serde::Serialize;
use serde_json::Value;
use tokio::net::TcpListener;

use crate::Error;

/// The kinds of credentials, each of one account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Credentials {
    /// An access token of Mozilla's accounts, signed with RS256.
    Bearer,
    /// A BrowserID assertion: the certificate signed with RS256, the assertion with DS128, as by real Sync clients.
    BrowserId,
}

pub(crate) const ALL: [Credentials; 2] = [Credentials::Bearer, Credentials::BrowserId];

/// Whom the assertions are for.
pub(crate) const AUDIENCE: &str = "https://token.example.test";

impl fmt::Display for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bearer => "Bearer RS256",
            Self::BrowserId => "BrowserID RS256 + DS128",
        })
    }
}

impl Credentials {
    /// The header `Authorization`.
    pub(crate) fn authorization(self) -> Result<String, Error> {
        let (file, id, member, scheme) = match self {
            Self::Bearer => ("oauth_jwt.json", "ok-at-jwt", "token", "Bearer"),
            Self::BrowserId => (
                "browserid_assertions.json",
                "valid-rs256-ds128-fxa",
                "assertion",
                "BrowserID",
            ),
        };
        let vectors = read(file)?;
        let cases = vectors["cases"].as_array().into_iter().flatten();
        let text = cases
            .filter(|case| case["id"] == id)
            .find_map(|case| case[member].as_str())
            .ok_or_else(|| format!("{file} has no case {id}"))?;
        Ok(format!("{scheme} {text}"))
    }
}

/// Writes the key set of the access tokens' issuer to a file.
pub(crate) fn write_jwks(directory: &Path) -> Result<PathBuf, Error> {
    let path = directory.join("jwks.json");
    fs::write(&path, read("oauth_jwt.json")?["jwks"].to_string())?;
    Ok(path)
}

/// Serves the support documents of the assertions' issuers. The URL.
pub(crate) async fn publish() -> Result<String, Error> {
    let documents = read("browserid_assertions.json")?["documents"].take();
    let document = move |headers: HeaderMap| {
        let host = headers
            .get(header::HOST)
            .and_then(|host| host.to_str().ok());
        let document = host.and_then(|host| documents.get(host));
        let answer: Response = match document {
            Some(document) => {
                let kind = [(header::CONTENT_TYPE, "application/json")];
                (kind, document["body"].to_string()).into_response()
            }
            None => StatusCode::NOT_FOUND.into_response(),
        };
        async { answer }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let router = Router::new().route("/.well-known/browserid", get(document));
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(url)
}

fn read(name: &str) -> Result<Value, Error> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../tests/vectors")
        .join(name);
    let text = fs::read_to_string(&path)
        .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    Ok(serde_json::from_str(&text)?)
}
