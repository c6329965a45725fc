//! Opens what a master listens at, before its thread starts, so that whoever starts it learns of failures.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::own::MAX_OWN_SOCKETS;
use crate::driver::claim::{Claim, ClaimError};
use crate::driver::context::{TooFewDescriptors, context};
use crate::driver::curve::Domain;
use crate::driver::endpoint::{Endpoint, EndpointError, Reach};
use crate::driver::socket::{Options, Router};
use crate::driver::zap::ZapHandler;
use crate::master::Config;
use crate::security::{self, CurveServer, KeyError};

/// Connections to the frontend beside those of clients.
const OPERATORS: usize = 64;

/// How long the last messages to workers may take to leave a socket that was closed.
pub(super) const LINGER: Duration = Duration::from_millis(500);

/// Why a master could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// No endpoint was named.
    #[error("no endpoint to listen at: name one, such as ipc:///path/of/socket")]
    NoEndpoint,
    /// A setting is out of its range.
    #[error("the setting {name} is not valid: {why}")]
    Setting {
        /// The setting's name.
        name: &'static str,
        /// What is wrong with it.
        why: &'static str,
    },
    /// An endpoint makes no sense.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// An ipc path is not to be had.
    #[error(transparent)]
    Claim(#[from] ClaimError),
    /// Keys cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The system refused to listen there.
    #[error("cannot listen at {endpoint}: {source}")]
    Bind {
        /// The endpoint.
        endpoint: String,
        /// What the system said.
        source: io::Error,
    },
    /// The process may open too few files.
    #[error(transparent)]
    Descriptors(#[from] TooFewDescriptors),
    /// The system refused a socket, a descriptor or a thread.
    #[error("cannot start the master's thread: {0}")]
    Resources(#[from] io::Error),
}

impl StartError {
    /// A stable code for logs and scripts.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoEndpoint => "no-endpoint",
            Self::Setting { .. } => "invalid-setting",
            Self::Endpoint(_) => "invalid-endpoint",
            Self::Claim(ClaimError::InUse { .. }) => "in-use",
            Self::Claim(ClaimError::NotASocket { .. }) => "not-a-socket",
            Self::Claim(ClaimError::Exposed { .. }) => "exposed-directory",
            Self::Claim(ClaimError::Io { .. }) => "path-unusable",
            Self::Key(_) => "unusable-key",
            Self::Bind { source, .. } if source.kind() == io::ErrorKind::AddrInUse => "in-use",
            Self::Bind { .. } => "cannot-listen",
            Self::Descriptors(_) => "too-few-descriptors",
            Self::Resources(_) => "out-of-resources",
        }
    }

    /// The exit status that `sysexits.h` has for it: what a program ends with that cannot go on without its master.
    pub fn exit_code(&self) -> u8 {
        const USAGE: u8 = 64;
        const UNAVAILABLE: u8 = 69;
        const OS_ERROR: u8 = 71;
        const CANNOT_CREATE: u8 = 73;
        const NO_PERMISSION: u8 = 77;
        match self {
            Self::NoEndpoint | Self::Setting { .. } => USAGE,
            Self::Endpoint(error) => error.exit_code(),
            Self::Key(error) => error.exit_code(),
            Self::Claim(ClaimError::InUse { .. }) => UNAVAILABLE,
            Self::Claim(ClaimError::Exposed { .. }) => NO_PERMISSION,
            Self::Claim(ClaimError::NotASocket { .. }) => CANNOT_CREATE,
            Self::Claim(ClaimError::Io { source, .. }) | Self::Bind { source, .. } => {
                match source.kind() {
                    io::ErrorKind::PermissionDenied => NO_PERMISSION,
                    io::ErrorKind::AddrInUse => UNAVAILABLE,
                    _ => CANNOT_CREATE,
                }
            }
            Self::Descriptors(_) | Self::Resources(_) => OS_ERROR,
        }
    }
}

/// How connections over tcp are protected.
#[derive(Debug, Clone, Default)]
pub(crate) struct Protection {
    pub(crate) curve: Option<CurveServer>,
    /// Whether tcp beyond this machine may go without.
    pub(crate) insecure: bool,
}

/// A master's sockets, open and bound. Dropping it closes them, waits until the last messages have left or the linger time is over,
/// and only then gives up the paths: the fields are dropped in this order.
pub(crate) struct Listening {
    pub(super) backend: Router,
    /// Answers for whom libzmq asks. Without it, while there are keys, nobody is admitted.
    pub(super) zap: Option<ZapHandler>,
    /// The socket for clients of a standalone master.
    pub(super) frontend: Option<Router>,
    /// The socket for operators, if they have one of their own.
    pub(super) operators: Option<Router>,
    pub(super) context: zmq::Context,
    _claims: Vec<Claim>,
    endpoints: Vec<String>,
    frontends: Vec<String>,
    operator_endpoints: Vec<String>,
    pub(super) runtime_directory: Option<PathBuf>,
}

impl Listening {
    /// Listens at all of the endpoints, or at none.
    ///
    /// # Errors
    /// [`StartError`], which names what is to be changed.
    pub(crate) fn open(
        endpoints: &[String],
        config: &Config,
        protection: &Protection,
    ) -> Result<Self, StartError> {
        let endpoints = parse(endpoints, protection)?;
        if endpoints.is_empty() {
            return Err(StartError::NoEndpoint);
        }
        Self::listen([&endpoints, &[], &[]], config, protection, 0)
    }

    /// The same for a master with clients in other processes, of which `clients` may be connected, and perhaps endpoints for operators
    /// alone.
    ///
    /// # Errors
    /// [`StartError`], which names what is to be changed.
    pub(crate) fn open_standalone(
        backends: &[String],
        frontends: &[String],
        operators: &[String],
        config: &Config,
        protection: &Protection,
        clients: usize,
    ) -> Result<Self, StartError> {
        let backends = parse(backends, protection)?;
        let frontends = parse(frontends, protection)?;
        let operators = parse(operators, protection)?;
        if backends.is_empty() || frontends.is_empty() {
            return Err(StartError::NoEndpoint);
        }
        // Operators come and go beside the clients.
        Self::listen(
            [&backends, &frontends, &operators],
            config,
            protection,
            clients.saturating_add(OPERATORS),
        )
    }

    fn listen(
        [backends, frontends, operators]: [&[Endpoint]; 3],
        config: &Config,
        protection: &Protection,
        clients: usize,
    ) -> Result<Self, StartError> {
        let peers = (config.max_workers)
            .saturating_add(MAX_OWN_SOCKETS)
            .saturating_add(clients);
        let context = context(u64::try_from(peers).unwrap_or(u64::MAX))?;
        // All paths are claimed before the first is bound, so that no worker finds a master that is about to give up.
        let mut claims = Vec::new();
        for endpoint in backends.iter().chain(frontends).chain(operators) {
            if let Endpoint::Ipc(path) = endpoint {
                claims.push(Claim::new(path)?);
            }
        }
        // Before any other socket of the context: there must be somebody to ask about whoever connects.
        let curve = protection.curve.as_ref();
        let zap = (curve
            .cloned()
            .map(|server| ZapHandler::start(&context, server)))
        .transpose()?;
        let options = options(config);
        let open = |domain: Domain| Router::new(&context, &options, domain.name());
        let mut backend = open(Domain::Backend);
        let open_for =
            |endpoints: &[Endpoint], domain| (!endpoints.is_empty()).then(|| open(domain));
        let mut frontend = open_for(frontends, Domain::Frontend);
        let mut desk = open_for(operators, Domain::Operator);
        let bound_backends = bind_all(&mut backend, backends, curve, Domain::Backend)?;
        let bind_if = |socket: &mut Option<Router>, endpoints, domain| match socket {
            Some(router) => bind_all(router, endpoints, curve, domain),
            None => Ok(Vec::new()),
        };
        let bound_frontends = bind_if(&mut frontend, frontends, Domain::Frontend)?;
        let bound_operators = bind_if(&mut desk, operators, Domain::Operator)?;
        let runtime_directory = backends.iter().find_map(Endpoint::directory);
        Ok(Self {
            backend,
            zap,
            frontend,
            operators: desk,
            context,
            _claims: claims,
            endpoints: bound_backends,
            frontends: bound_frontends,
            operator_endpoints: bound_operators,
            runtime_directory: runtime_directory.map(ToOwned::to_owned),
        })
    }

    /// Where clients connect to, in the order given, with the ports that the system chose.
    pub(crate) fn frontends(&self) -> &[String] {
        &self.frontends
    }

    /// Where operators connect to, in the order given, with the ports that the system chose.
    pub(crate) fn operator_endpoints(&self) -> &[String] {
        &self.operator_endpoints
    }

    /// Where workers connect to, in the order given, with the ports that the system chose.
    pub(crate) fn endpoints(&self) -> &[String] {
        &self.endpoints
    }
}

fn parse(endpoints: &[String], protection: &Protection) -> Result<Vec<Endpoint>, StartError> {
    let has_keys = protection.curve.is_some();
    if has_keys && !security::is_available() {
        return Err(KeyError::Unavailable.into());
    }
    let reach = Reach::new(has_keys, protection.insecure);
    (endpoints.iter())
        .map(|endpoint| Ok(Endpoint::to_bind(endpoint, reach)?))
        .collect()
}

/// Binds a socket to all of the endpoints, and returns how peers connect to them.
fn bind_all(
    router: &mut Router,
    endpoints: &[Endpoint],
    curve: Option<&CurveServer>,
    domain: Domain,
) -> Result<Vec<String>, StartError> {
    let mut bound = vec![String::new(); endpoints.len()];
    // What a socket is told to do holds for what it binds from then on: first what the file system protects.
    let (ipc, tcp): (Vec<_>, Vec<_>) = (endpoints.iter().zip(&mut bound))
        .partition(|(endpoint, _)| endpoint.directory().is_some());
    for (endpoint, bound) in ipc {
        *bound = bind(router, endpoint)?;
    }
    if let Some(server) = curve.filter(|_| !tcp.is_empty()) {
        router.encrypt(server, domain)?;
    }
    for (endpoint, bound) in tcp {
        *bound = bind(router, endpoint)?;
    }
    Ok(bound)
}

fn bind(router: &mut Router, endpoint: &Endpoint) -> Result<String, StartError> {
    (router.bind(endpoint)).map_err(|source| StartError::Bind {
        endpoint: endpoint.to_string(),
        source,
    })
}

/// The settings of the master's sockets.
pub(super) fn options(config: &Config) -> Options {
    let body = u64::try_from(config.max_body).unwrap_or(u64::MAX);
    Options {
        // The codec answers what is above the limit; a socket would only drop the connection.
        max_frame: body.saturating_mul(2).saturating_add(1024 * 1024),
        linger: LINGER,
        heartbeat: Some((
            config.heartbeat,
            config.heartbeat.saturating_mul(config.misses),
        )),
    }
}
