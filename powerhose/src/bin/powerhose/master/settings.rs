//! What the options and the settings file of a master together mean.

use std::time::Duration;

use figment::Figment;
use figment::providers::{Format, Toml};
use powerhose::Limits;
use powerhose::master::Config;
use powerhose::master::frontend::FrontendConfig;
use serde::Deserialize;
use sysexits::ExitCode;

use super::Master;
use crate::failure::Failure;
use crate::runtime;
use crate::security::ServerOptions;

/// The settings file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    log: Option<String>,
    frontend: Vec<String>,
    backend: Vec<String>,
    operator: Vec<String>,
    #[serde(with = "duration")]
    drain: Option<Duration>,
    #[serde(with = "duration")]
    grace: Option<Duration>,
    #[serde(with = "duration")]
    heartbeat: Option<Duration>,
    misses: Option<u32>,
    max_body: Option<usize>,
    max_workers: Option<usize>,
    max_clients: Option<usize>,
    max_queue_jobs: Option<usize>,
    max_queue_bytes: Option<usize>,
    max_client_jobs: Option<usize>,
    max_client_bytes: Option<usize>,
    security: ServerOptions,
}

/// Durations with their units, such as `5s`.
mod duration {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, de::Error};

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error> {
        let text = String::deserialize(deserializer)?;
        humantime::parse_duration(&text)
            .map(Some)
            .map_err(Error::custom)
    }
}

/// What the options and the file together mean.
pub(super) struct Settings {
    pub(super) log: Option<String>,
    pub(super) frontends: Vec<String>,
    pub(super) backends: Vec<String>,
    pub(super) operators: Vec<String>,
    pub(super) drain: Duration,
    pub(super) config: Config,
    pub(super) clients: FrontendConfig,
    pub(super) security: ServerOptions,
}

impl Settings {
    pub(super) fn read(master: &Master) -> Result<Self, Failure> {
        let file: File = match &master.config {
            None => File::default(),
            Some(path) if !path.is_file() => {
                let why = format!("there is no settings file {}", path.display());
                return Err(Failure::new(ExitCode::NoInput, why));
            }
            Some(path) => (Figment::from(Toml::file_exact(path)).extract()).map_err(|error| {
                let why = format!("{}: {error}", path.display());
                Failure::new(ExitCode::Config, why)
            })?,
        };
        let given = |given: &[String], file: Vec<String>| match given {
            [] => file,
            given => given.to_vec(),
        };
        let or = |endpoints: Vec<String>, default: fn() -> String| match endpoints[..] {
            [] => vec![default()],
            _ => endpoints,
        };
        let (config, clients) = (Config::default(), FrontendConfig::default());
        let limit = |given: Option<usize>, default| given.unwrap_or(default);
        Ok(Self {
            log: file.log,
            frontends: or(given(&master.frontend, file.frontend), runtime::frontend),
            backends: or(given(&master.backend, file.backend), runtime::backend),
            operators: given(&master.operator, file.operator),
            drain: (master.drain.or(file.drain)).unwrap_or(Duration::from_secs(30)),
            clients: FrontendConfig {
                grace: master.grace.or(file.grace).unwrap_or(clients.grace),
                max_clients: limit(master.max_clients.or(file.max_clients), clients.max_clients),
                max_client_jobs: limit(file.max_client_jobs, clients.max_client_jobs),
                max_client_bytes: limit(file.max_client_bytes, clients.max_client_bytes),
                ..clients
            },
            config: Config {
                heartbeat: file.heartbeat.unwrap_or(config.heartbeat),
                misses: file.misses.unwrap_or(config.misses),
                max_body: limit(file.max_body, config.max_body),
                max_workers: limit(master.max_workers.or(file.max_workers), config.max_workers),
                max_queue_jobs: limit(
                    master.max_queue_jobs.or(file.max_queue_jobs),
                    config.max_queue_jobs,
                ),
                max_queue_bytes: limit(file.max_queue_bytes, config.max_queue_bytes),
                ..config
            },
            security: master.security.clone().or(file.security),
        })
    }

    /// What a running master can change.
    pub(super) fn limits(&self) -> Limits {
        Limits {
            max_queue_jobs: self.config.max_queue_jobs,
            max_queue_bytes: self.config.max_queue_bytes,
            max_client_jobs: self.clients.max_client_jobs,
            max_client_bytes: self.clients.max_client_bytes,
        }
    }

    /// The names of the settings that differ and that a running master cannot change.
    pub(super) fn fixed_ones_changed(&self, now: &Self) -> Vec<&'static str> {
        let fixed = |it: &Self| {
            [
                ("frontend", it.frontends.join(" ")),
                ("backend", it.backends.join(" ")),
                ("operator", it.operators.join(" ")),
                ("grace", format!("{:?}", it.clients.grace)),
                ("heartbeat", format!("{:?}", it.config.heartbeat)),
                ("misses", it.config.misses.to_string()),
                ("max_body", it.config.max_body.to_string()),
                ("max_workers", it.config.max_workers.to_string()),
                ("max_clients", it.clients.max_clients.to_string()),
                ("security", format!("{:?}", it.security)),
            ]
        };
        (fixed(self).into_iter().zip(fixed(now)))
            .filter(|(before, now)| before != now)
            .map(|((name, _), _)| name)
            .collect()
    }
}
