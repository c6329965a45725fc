//! `[secrets]` as it is written, before files are read.

use std::path::{Path, PathBuf};

use crypto_jobs::Secret;
use serde::Deserialize;

use super::{
    Secrets, SettingsError,
    one_or_more::OneOrMore,
    token::{self, TokenSecrets},
    units::WrittenSecret,
};

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct WrittenSecrets {
    token: Option<OneOrMore<WrittenSecret>>,
    token_file: Option<OneOrMore<PathBuf>>,
    nodes_file: Option<PathBuf>,
    master_file: Option<OneOrMore<PathBuf>>,
    metrics: Option<WrittenSecret>,
    metrics_file: Option<PathBuf>,
    jwt_key_files: Vec<PathBuf>,
}

impl WrittenSecrets {
    pub(super) fn resolve(self) -> Result<Secrets, SettingsError> {
        Ok(Secrets {
            token: tokens(
                self.token,
                self.token_file,
                self.nodes_file,
                self.master_file,
            )?,
            metrics: metrics(self.metrics, self.metrics_file.as_deref())?,
            jwt_keys: self
                .jwt_key_files
                .iter()
                .map(|path| token::read_key(path))
                .collect::<Result<_, _>>()?,
        })
    }
}

fn tokens(
    texts: Option<OneOrMore<WrittenSecret>>,
    files: Option<OneOrMore<PathBuf>>,
    nodes: Option<PathBuf>,
    masters: Option<OneOrMore<PathBuf>>,
) -> Result<TokenSecrets, SettingsError> {
    const KEY: &str = "secrets.token";
    let secrets = match (texts, files, nodes, masters) {
        (Some(texts), None, None, None) => {
            TokenSecrets::Fixed(texts.0.into_iter().map(|text| text.0).collect())
        }
        (None, Some(files), None, None) => TokenSecrets::Fixed(read_all(&files)?),
        (None, None, Some(path), None) => TokenSecrets::read_nodes(&path)?,
        (None, None, None, Some(files)) => TokenSecrets::Derived(read_all(&files)?),
        (None, None, None, None) => {
            return Err(SettingsError::key(KEY, no_default("token")));
        }
        _ => {
            return Err(SettingsError::key(
                KEY,
                "is given twice: keep one of secrets.token, secrets.token_file, secrets.nodes_file and secrets.master_file",
            ));
        }
    };
    if let TokenSecrets::Fixed(secrets) | TokenSecrets::Derived(secrets) = &secrets
        && (secrets.is_empty() || secrets.iter().any(|secret| secret.expose().is_empty()))
    {
        return Err(SettingsError::key(KEY, "is empty"));
    }
    if let TokenSecrets::Derived(masters) = &secrets
        && masters
            .iter()
            .any(|master| master.expose().len() < MIN_MASTER_BYTES)
    {
        return Err(SettingsError::key(
            "secrets.master_file",
            format!(
                "holds less than {MIN_MASTER_BYTES} characters: derived secrets are half as long"
            ),
        ));
    }
    Ok(secrets)
}

/// Shortest master secret, in bytes.
const MIN_MASTER_BYTES: usize = 16;

fn metrics(text: Option<WrittenSecret>, file: Option<&Path>) -> Result<Secret, SettingsError> {
    const KEY: &str = "secrets.metrics";
    let secret = match (text, file) {
        (Some(WrittenSecret(secret)), None) => secret,
        (None, Some(path)) => token::read_secret(path)?,
        (Some(_), Some(_)) => {
            return Err(SettingsError::key(
                KEY,
                "is given twice: remove it or secrets.metrics_file",
            ));
        }
        (None, None) => return Err(SettingsError::key(KEY, no_default("metrics"))),
    };
    if secret.expose().is_empty() {
        return Err(SettingsError::key(KEY, "is empty"));
    }
    Ok(secret)
}

fn no_default(name: &str) -> String {
    format!(
        "has no default: set secrets.{name}_file to the path of a file with a random text, or set it directly"
    )
}

fn read_all(files: &OneOrMore<PathBuf>) -> Result<Vec<Secret>, SettingsError> {
    files
        .0
        .iter()
        .map(|path| token::read_secret(path))
        .collect()
}
