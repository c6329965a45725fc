//! The options for keys: they name files, for what stands on a command line is for all to read.

use std::path::PathBuf;

use clap::Args;
use powerhose::security::{AllowList, CurveClient, CurveServer, KeyPair, PublicKey};
use serde::Deserialize;

use crate::failure::Failure;

/// Of whoever connects to a master.
#[derive(Args)]
#[command(next_help_heading = "Security")]
pub(crate) struct ClientOptions {
    /// The file of the own secret key, as made by `powerhose keygen`: encrypts tcp
    #[arg(
        long,
        env = "POWERHOSE_CURVE_SECRET",
        hide_env_values = true,
        value_name = "FILE",
        requires = "curve_server"
    )]
    curve_secret: Option<PathBuf>,

    /// The file of the master's public key
    #[arg(
        long,
        env = "POWERHOSE_CURVE_SERVER",
        hide_env_values = true,
        value_name = "FILE",
        requires = "curve_secret"
    )]
    curve_server: Option<PathBuf>,

    /// Connect to another host without keys: whoever is on the way can read and change everything
    #[arg(long)]
    pub(crate) insecure: bool,
}

impl ClientOptions {
    /// The keys, if files are named.
    pub(crate) fn keys(&self) -> Result<Option<CurveClient>, Failure> {
        let (Some(secret), Some(server)) = (&self.curve_secret, &self.curve_server) else {
            return Ok(None);
        };
        let keys = CurveClient::new(KeyPair::from_file(secret)?, PublicKey::from_file(server)?);
        Ok(Some(keys))
    }
}

/// Of a master. The settings file knows them, too.
#[derive(Args, Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[command(next_help_heading = "Security")]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ServerOptions {
    /// The file of the master's secret key, as made by `powerhose keygen`: encrypts tcp
    #[arg(
        long,
        env = "POWERHOSE_CURVE_SECRET",
        hide_env_values = true,
        value_name = "FILE"
    )]
    curve_secret: Option<PathBuf>,

    /// The file with the public keys of workers that are admitted, one on each line [default: none is]
    #[arg(
        long,
        env = "POWERHOSE_ALLOW_WORKERS",
        hide_env_values = true,
        value_name = "FILE"
    )]
    allow_workers: Option<PathBuf>,

    /// The file with the public keys of clients that are admitted [default: none is]
    #[arg(
        long,
        env = "POWERHOSE_ALLOW_CLIENTS",
        hide_env_values = true,
        value_name = "FILE"
    )]
    allow_clients: Option<PathBuf>,

    /// The file with the public keys of operators that are admitted to --operator [default: the master's own is]
    #[arg(
        long,
        env = "POWERHOSE_ALLOW_OPERATORS",
        hide_env_values = true,
        value_name = "FILE"
    )]
    allow_operators: Option<PathBuf>,

    /// Listen beyond this machine without keys: anyone can then take and hand in jobs
    #[arg(long)]
    #[serde(skip)]
    pub(crate) insecure: bool,
}

/// A master's keys and lists.
pub(crate) struct ServerKeys {
    pub(crate) server: CurveServer,
    /// By the name of the option.
    lists: Vec<(&'static str, AllowList)>,
}

impl ServerOptions {
    /// What is given here counts for more than what is given in `other`.
    pub(crate) fn or(self, other: Self) -> Self {
        Self {
            curve_secret: self.curve_secret.or(other.curve_secret),
            allow_workers: self.allow_workers.or(other.allow_workers),
            allow_clients: self.allow_clients.or(other.allow_clients),
            allow_operators: self.allow_operators.or(other.allow_operators),
            insecure: self.insecure || other.insecure,
        }
    }

    /// The lists that are named, by the name of the option.
    fn files(&self) -> impl Iterator<Item = (&'static str, &PathBuf)> {
        let files = [
            ("allow-workers", &self.allow_workers),
            ("allow-clients", &self.allow_clients),
            ("allow-operators", &self.allow_operators),
        ];
        (files.into_iter()).filter_map(|(name, file)| Some((name, file.as_ref()?)))
    }

    /// The keys, if files are named.
    pub(crate) fn keys(&self) -> Result<Option<ServerKeys>, Failure> {
        let Some(secret) = &self.curve_secret else {
            return match self.files().next() {
                None => Ok(None),
                Some((name, _)) => {
                    let why = format!(
                        "{name} without curve-secret: a master without a key cannot tell keys apart"
                    );
                    Err(Failure::new(sysexits::ExitCode::Config, why))
                }
            };
        };
        let mut server = CurveServer::new(KeyPair::from_file(secret)?);
        let mut lists = Vec::new();
        for (name, file) in self.files() {
            let list = AllowList::file(file)?;
            server = match name {
                "allow-workers" => server.workers(list.clone()),
                "allow-clients" => server.clients(list.clone()),
                _ => server.operators(list.clone()),
            };
            lists.push((name, list));
        }
        Ok(Some(ServerKeys { server, lists }))
    }

    /// The keys with which the master asks itself how it is.
    pub(crate) fn own_keys(&self) -> Result<Option<CurveClient>, Failure> {
        let Some(secret) = &self.curve_secret else {
            return Ok(None);
        };
        let keys = KeyPair::from_file(secret)?;
        let server = keys.public();
        Ok(Some(CurveClient::new(keys, server)))
    }
}

impl ServerKeys {
    /// Reads the lists again. What cannot be read stays as it was, and the log says so.
    pub(crate) fn read_again(&self) {
        for (name, list) in &self.lists {
            match list.read_again() {
                Ok(keys) => tracing::info!(list = name, keys, "read the list of keys again"),
                Err(error) => tracing::error!(%error, "the list of keys stays as it was"),
            }
        }
    }
}
