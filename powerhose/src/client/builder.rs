use std::io;
use std::time::Duration;

use super::Client;
use super::core::CoreConfig;
use super::thread::{Parts, start};
use crate::driver::context::context;
use crate::driver::endpoint::{Endpoint, EndpointError, Reach};
use crate::driver::master::host;
use crate::driver::master::listen::StartError;
use crate::driver::socket::Options;
use crate::execute::DEFAULT_TIMEOUT;
use crate::security::{self, CurveClient, KeyError};
use crate::wire::Open;

/// What a client calls itself.
const IMPLEMENTATION: &str = concat!("powerhose-rust/", env!("CARGO_PKG_VERSION"));

/// The largest frame that a client takes: a backstop, twice what a master of this implementation lets a result have and more.
const MAX_FRAME: u64 = 1024 * 1024 * 1024;

/// Settings of a [`Client`]; made by [`Client::builder`]. Only a master must be named.
#[derive(Debug, Clone)]
#[must_use = "nothing runs before `start`"]
pub struct ClientBuilder {
    endpoints: Vec<String>,
    default_timeout: Duration,
    max_queue_jobs: usize,
    max_queue_bytes: usize,
    implementation: String,
    curve: Option<CurveClient>,
    insecure: bool,
}

impl Default for ClientBuilder {
    fn default() -> Self {
        Self {
            endpoints: Vec::new(),
            default_timeout: DEFAULT_TIMEOUT,
            max_queue_jobs: 100_000,
            max_queue_bytes: 256 * 1024 * 1024,
            implementation: IMPLEMENTATION.to_owned(),
            curve: None,
            insecure: false,
        }
    }
}

impl ClientBuilder {
    /// Adds a master, by the endpoint of its frontend. The first one named is used as long as it can be reached, then the next.
    pub fn connect(mut self, endpoint: impl Into<String>) -> Self {
        self.endpoints.push(endpoint.into());
        self
    }

    /// How long a job may take, waiting included, unless it says so itself. Default 30 s.
    pub fn default_timeout(mut self, timeout: Duration) -> Self {
        self.default_timeout = timeout;
        self
    }

    /// The most jobs that wait for a master, because there is none or it takes no more. Default 100,000. A job beyond it fails as
    /// `Overloaded` at once.
    pub fn max_queue_jobs(mut self, jobs: usize) -> Self {
        self.max_queue_jobs = jobs;
        self
    }

    /// The most bytes of their payloads. Default 256 MiB. A job beyond it fails as `Overloaded` at once.
    pub fn max_queue_bytes(mut self, bytes: usize) -> Self {
        self.max_queue_bytes = bytes;
        self
    }

    /// What the client tells masters of itself, such as `shop/1.2`; at most 255 bytes. Default the name and version of this library.
    pub fn implementation(mut self, implementation: impl Into<String>) -> Self {
        self.implementation = implementation.into();
        self
    }

    /// The keys for tcp: connections are then encrypted, and masters prove who they are. Default none.
    pub fn curve(mut self, keys: CurveClient) -> Self {
        self.curve = Some(keys);
        self
    }

    /// Allows tcp to other hosts without keys: whoever is on the way can read and change everything. Default no.
    pub fn insecure(mut self, insecure: bool) -> Self {
        self.insecure = insecure;
        self
    }

    /// Looks at the settings as [`start`](Self::start) does, and starts nothing.
    ///
    /// # Errors
    /// [`StartError`] if no endpoint was named, one makes no sense, or keys are set and this build cannot encrypt.
    pub fn check(&self) -> Result<(), StartError> {
        self.understood().map(drop)
    }

    fn understood(&self) -> Result<Vec<Endpoint>, StartError> {
        if self.curve.is_some() && !security::is_available() {
            return Err(KeyError::Unavailable.into());
        }
        let reach = Reach::new(self.curve.is_some(), self.insecure);
        let endpoints: Vec<_> = (self.endpoints.iter())
            .map(|endpoint| Endpoint::to_connect(endpoint, reach))
            .collect::<Result<_, EndpointError>>()?;
        if endpoints.is_empty() {
            return Err(StartError::NoEndpoint);
        }
        if self.implementation.len() > crate::wire::limits::MAX_LABEL {
            return Err(StartError::Setting {
                name: "implementation",
                why: "it has at most 255 bytes",
            });
        }
        Ok(endpoints)
    }

    /// Starts the client's thread, which connects, and goes on trying, by itself.
    ///
    /// # Errors
    /// [`StartError`] as [`check`](Self::check) tells it, or if the system has no thread or descriptors to spare.
    pub fn start(self) -> Result<Client, StartError> {
        let endpoints = self.understood()?;
        let parts = Parts {
            context: context(endpoints.len() as u64).map_err(StartError::Descriptors)?,
            config: CoreConfig {
                masters: endpoints.len(),
                introduction: Open {
                    pid: std::process::id(),
                    host: host(),
                    implementation: self.implementation,
                    received: 0,
                },
                max_queue_jobs: self.max_queue_jobs,
                max_queue_bytes: self.max_queue_bytes,
            },
            endpoints,
            curve: self.curve,
            options: Options {
                max_frame: MAX_FRAME,
                linger: Duration::ZERO,
                heartbeat: None,
            },
        };
        let handle = start(parts).map_err(|error: io::Error| StartError::Resources(error))?;
        Ok(Client::new(handle, self.endpoints, self.default_timeout))
    }
}
