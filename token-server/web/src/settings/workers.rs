//! `[workers]`.

use std::{num::NonZeroUsize, path::PathBuf};

use powerhose::{
    Client, ClientBuilder, EndpointError, StartError,
    security::{CurveClient, KeyError, KeyPair, PublicKey},
};
use serde::{Deserialize, Deserializer};

use super::{SettingsError, one_or_more::OneOrMore};

/// The crypto workers: processes of this server, or those of a standalone master that many servers share.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Workers {
    /// Worker processes that the server starts. Default: one per core. With 0, workers are expected
    /// to come by themselves to `endpoint`. Means nothing with `master`.
    pub count: usize,
    /// Where workers register: `ipc://PATH` or `tcp://HOST:PORT`. Default: a socket in a private
    /// directory of this run.
    pub endpoint: Option<String>,
    /// The frontend of a standalone master (`powerhose master`) whose workers are to do the work, instead
    /// of workers of this server's own: `ipc://PATH` or `tcp://HOST:PORT`, or a list of them, in order of
    /// preference. Jobs carry the secrets that tokens are made with, so whoever can be that master, or
    /// register with it, can make tokens. Default none.
    #[serde(deserialize_with = "masters")]
    pub master: Vec<String>,
    /// The file of this server's own secret key, as made by `powerhose keygen`: encrypts tcp to the
    /// master, and shows it who asks. Default none.
    pub curve_secret_file: Option<PathBuf>,
    /// The file of the master's public key; masters in a list share one. Default none.
    pub curve_server_file: Option<PathBuf>,
    /// What these two files hold.
    #[serde(skip)]
    pub curve: Option<CurveClient>,
    /// Allows tcp to a master on another host without keys, for networks that are private by other
    /// means: whoever is on the way can read the secrets. Default false.
    pub insecure: bool,
}

impl Default for Workers {
    fn default() -> Self {
        Self {
            count: std::thread::available_parallelism().map_or(1, NonZeroUsize::get),
            endpoint: None,
            master: Vec::new(),
            curve_secret_file: None,
            curve_server_file: None,
            curve: None,
            insecure: false,
        }
    }
}

impl Workers {
    /// The client of the standalone master, ready to start. `None` where the server has workers of its
    /// own.
    #[must_use]
    pub fn client(&self) -> Option<ClientBuilder> {
        if self.master.is_empty() {
            return None;
        }
        let client = Client::builder()
            .implementation(concat!("token-server/", env!("CARGO_PKG_VERSION")))
            .insecure(self.insecure);
        let client = match &self.curve {
            Some(keys) => client.curve(keys.clone()),
            None => client,
        };
        let masters = self.master.iter();
        Some(masters.fold(client, ClientBuilder::connect))
    }

    pub(super) fn read_keys(&mut self) -> Result<(), SettingsError> {
        const SECRET: &str = "workers.curve_secret_file";
        const SERVER: &str = "workers.curve_server_file";
        let unusable = |key| move |error: KeyError| SettingsError::CurveKey { key, error };
        self.curve = match (&self.curve_secret_file, &self.curve_server_file) {
            (Some(secret), Some(server)) => Some(CurveClient::new(
                KeyPair::from_file(secret).map_err(unusable(SECRET))?,
                PublicKey::from_file(server).map_err(unusable(SERVER))?,
            )),
            (None, None) => None,
            (Some(_), None) => {
                return Err(SettingsError::key(
                    SERVER,
                    format!(
                        "must be set where {SECRET} is: a file with the public key of the master"
                    ),
                ));
            }
            (None, Some(_)) => {
                return Err(SettingsError::key(
                    SECRET,
                    format!(
                        "must be set where {SERVER} is; make a key with: powerhose keygen NAME"
                    ),
                ));
            }
        };
        Ok(())
    }

    pub(super) fn check(&self) -> Result<(), SettingsError> {
        const MASTER: &str = "workers.master";
        let Some(client) = self.client() else {
            if self.curve.is_some() || self.insecure {
                return Err(SettingsError::key(
                    MASTER,
                    "must be set where keys for it, or workers.insecure, are",
                ));
            }
            if self.count == 0 && self.endpoint.is_none() {
                return Err(SettingsError::key(
                    "workers.endpoint",
                    "must be set when workers.count is 0, or workers could not find the server",
                ));
            }
            return Ok(());
        };
        if self.endpoint.is_some() {
            return Err(SettingsError::key(
                MASTER,
                "excludes workers.endpoint, where workers of this server's own register: remove one of them",
            ));
        }
        client.check().map_err(|error| {
            let message = match &error {
                StartError::Endpoint(EndpointError::NotLoopback { endpoint }) => format!(
                    "{endpoint:?} is on another host: set workers.curve_secret_file and workers.curve_server_file, or workers.insecure to go without encryption"
                ),
                _ => error.to_string(),
            };
            SettingsError::key(MASTER, message)
        })
    }
}

fn masters<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let OneOrMore(masters) = OneOrMore::deserialize(deserializer)?;
    if masters.is_empty() {
        return Err(serde::de::Error::custom(
            "names no master; remove it to have workers of the server's own",
        ));
    }
    Ok(masters)
}
