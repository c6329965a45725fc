use std::{fs, num::NonZeroUsize, path::Path};

use sysexits::ExitCode;
use tempfile::TempDir;
use token_server_web::settings::{Settings, Sources};

use super::issuer;
use crate::failure::Failure;

/// Bytes of randomness in a secret.
const SECRET_BYTES: usize = 32;

/// The throw-away directory: settings, secrets and database. Dropping it removes all of it.
pub(super) struct Directory(TempDir);

impl Directory {
    pub(super) fn make() -> Result<Self, Failure> {
        tempfile::Builder::new()
            .prefix("token-server-dev-")
            .tempdir()
            .map(Self)
            .map_err(|error| {
                Failure::new(
                    ExitCode::CantCreat,
                    format!(
                        "cannot make a directory in {}: {error}; set TMPDIR to a directory that this user may write to",
                        std::env::temp_dir().display()
                    ),
                )
            })
    }

    pub(super) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes a settings file, as an operator would, and loads it.
    pub(super) fn settings(
        &self,
        audience: &str,
        gateway: &str,
        workers: NonZeroUsize,
        log: &str,
    ) -> Result<Settings, Failure> {
        for name in ["token.secret", "metrics.secret"] {
            self.write(name, &random_text())?;
        }
        let path = |name: &str| toml_string(&self.path().join(name).display().to_string());
        let text = format!(
            "[database]\n\
             url = {database}\n\n\
             [browserid]\n\
             audience = {audience}\n\
             allowed_issuers = [{issuer}]\n\
             gateway = {gateway}\n\n\
             [workers]\n\
             count = {workers}\n\n\
             [log]\n\
             filter = {log}\n\n\
             [secrets]\n\
             token_file = {token}\n\
             metrics_file = {metrics}\n",
            database = toml_string(&format!(
                "sqlite:{}",
                self.path().join("users.db").display()
            )),
            audience = toml_string(audience),
            issuer = toml_string(issuer::HOST),
            gateway = toml_string(gateway),
            log = toml_string(log),
            token = path("token.secret"),
            metrics = path("metrics.secret"),
        );
        let file = self.write("token-server.toml", &text)?;
        Ok(Settings::load(&Sources {
            file: Some(&file),
            ..Sources::default()
        })?)
    }

    fn write(&self, name: &str, text: &str) -> Result<std::path::PathBuf, Failure> {
        let path = self.path().join(name);
        fs::write(&path, text).map_err(|error| {
            Failure::new(
                ExitCode::CantCreat,
                format!("cannot write {}: {error}", path.display()),
            )
        })?;
        Ok(path)
    }
}

/// JSON's strings are TOML's basic strings.
fn toml_string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn random_text() -> String {
    let bytes: [u8; SECRET_BYTES] = rand::random();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
