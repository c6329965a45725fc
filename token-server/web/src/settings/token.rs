//! What an application's tokens look like, and what they are made with.

use std::{collections::HashMap, fs, path::Path};

use crypto_jobs::{JwtAlgorithm, Secret, TokenSecret};
use rustls_pki_types::{PrivatePkcs8KeyDer, pem::PemObject};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::SettingsError;

/// `[applications.NAME.token]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Token {
    /// `tokenlib`, as Sync's storage nodes read it, or `jwt`. Default `tokenlib`.
    pub format: TokenKind,
    /// Of JWTs: the signature algorithm. Default `EdDSA`. HS256 signs with the application's own
    /// `secret_file`, which must have 32 bytes or more; the others with the newest fitting key of `secrets.jwt_key_files`.
    pub algorithm: JwtAlgorithm,
    /// Of JWTs: the claim `iss`. Default: `browserid.audience`.
    pub issuer: Option<String>,
    /// Of JWTs: the claim `aud`. Default: `NAME-VERSION`.
    pub audience: Option<String>,
    /// Of JWTs: the header's `typ`. Default `JWT`.
    pub typ: String,
    /// Of JWTs: whether they are encrypted, with keys derived from the application's secret. Default
    /// false.
    pub encrypt: bool,
}

impl Default for Token {
    fn default() -> Self {
        Self {
            format: TokenKind::default(),
            algorithm: JwtAlgorithm::EdDsa,
            issuer: None,
            audience: None,
            typ: "JWT".to_owned(),
            encrypt: false,
        }
    }
}

/// The formats that a token can have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TokenKind {
    /// Signed with HMAC, as Python's `tokenlib` makes and reads it.
    #[default]
    Tokenlib,
    /// A signed JWT, encrypted or not.
    Jwt,
}

/// The secrets that are shared with the nodes. Where there are several, nodes know all of them while
/// they are being changed, and the newest signs.
#[derive(Clone, Debug)]
pub enum TokenSecrets {
    /// The same for every node; the last one is the newest.
    Fixed(Vec<Secret>),
    /// Some for each node; of each node's, the last one is the newest.
    PerNode(HashMap<String, Vec<Secret>>),
    /// Derived from a master secret with the node's URL; the last one is the newest.
    Derived(Vec<Secret>),
}

impl TokenSecrets {
    /// The secret to sign with for a node. `None` when there is none for it.
    #[must_use]
    pub fn newest(&self, node: &str) -> Option<TokenSecret> {
        match self {
            Self::Fixed(secrets) => secrets.last().cloned().map(TokenSecret::Fixed),
            Self::PerNode(nodes) => nodes.get(node)?.last().cloned().map(TokenSecret::Fixed),
            Self::Derived(masters) => masters.last().map(|master| TokenSecret::PerNode {
                master: master.clone(),
                node: node.to_owned(),
            }),
        }
    }

    /// Reads a file of one line per node: `node,timestamp:secret,timestamp:secret`.
    pub(super) fn read_nodes(path: &Path) -> Result<Self, SettingsError> {
        let text = read(path)?;
        let text = std::str::from_utf8(&text).map_err(|_| broken(path, "is not UTF-8"))?;
        let mut nodes = HashMap::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            // Never quoted: it holds secrets.
            let malformed = || {
                broken(
                    path,
                    &format!(
                        "line {}: must be node,timestamp:secret and further ,timestamp:secret",
                        number + 1
                    ),
                )
            };
            let (node, secrets) = line.split_once(',').ok_or_else(malformed)?;
            let mut timed = Vec::new();
            for secret in secrets.split(',') {
                let (time, secret) = secret.trim().split_once(':').ok_or_else(malformed)?;
                let time: u64 = time.parse().map_err(|_| malformed())?;
                if secret.is_empty() {
                    return Err(malformed());
                }
                timed.push((time, Secret::from(secret)));
            }
            timed.sort_by_key(|(time, _)| *time);
            let secrets = timed.into_iter().map(|(_, secret)| secret).collect();
            if nodes.insert(node.to_owned(), secrets).is_some() {
                return Err(broken(path, &format!("names the node {node} twice")));
            }
        }
        if nodes.is_empty() {
            return Err(broken(path, "names no node"));
        }
        Ok(Self::PerNode(nodes))
    }
}

/// Reads a file with one secret, whose final newline doesn't count.
pub(super) fn read_secret(path: &Path) -> Result<Secret, SettingsError> {
    let bytes = read(path)?;
    let end = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
    let end = end.strip_suffix(b"\r").unwrap_or(end);
    Ok(Secret::from(end.to_vec()))
}

/// Reads a private key: PKCS#8 in PEM.
pub(super) fn read_key(path: &Path) -> Result<Secret, SettingsError> {
    let pem = read(path)?;
    let key = PrivatePkcs8KeyDer::from_pem_slice(&pem).map_err(|_| {
        broken(
            path,
            "holds no private key in PEM (PKCS#8); make one with: token-server keygen FILE",
        )
    })?;
    Ok(Secret::from(key.secret_pkcs8_der().to_vec()))
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, SettingsError> {
    fs::read(path)
        .map(Zeroizing::new)
        .map_err(|error| SettingsError::Unreadable {
            path: path.to_owned(),
            error,
        })
}

fn broken(path: &Path, reason: &str) -> SettingsError {
    SettingsError::Content {
        path: path.to_owned(),
        reason: reason.to_owned(),
    }
}
