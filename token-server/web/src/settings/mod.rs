//! What an operator can set. Every key has a default except the ones that only the operator can know:
//! the database, who vouches for users, and the secrets.

mod application;
mod bearer;
mod check;
mod database;
mod error;
mod load;
mod one_or_more;
mod renewal;
mod secrets;
mod token;
mod units;
mod version;
mod workers;

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    num::NonZeroUsize,
    path::PathBuf,
    time::Duration,
};

use crypto_jobs::{Secret, SignatureAlgorithm};
use ipnet::IpNet;
use serde::Deserialize;
use serde_json::{Map, Value};

pub use application::Application;
pub use bearer::{AccountEvents, Issuer, Jwks, OAuth};
pub use database::{Database, DatabaseServer, DatabaseUrl};
pub use error::SettingsError;
pub use load::Sources;
pub use renewal::TAKE_A_RESTART;
pub use token::{Token, TokenKind, TokenSecrets};
pub use units::{Audience, Gateway, HttpUrl, IssuerHost, NodePattern, NodeUrl, Share};
pub use workers::Workers;

/// All settings, checked.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `[http]`
    pub http: Http,
    /// `[database]`
    pub database: Database,
    /// `[browserid]`; without it, BrowserID assertions are not accepted.
    pub browserid: Option<BrowserId>,
    /// `[oauth]`; without it, access tokens of Mozilla's flavour are not accepted.
    pub oauth: Option<OAuth>,
    /// `[issuers.NAME]`, by name.
    pub issuers: BTreeMap<String, Issuer>,
    /// `[jwks]`
    pub jwks: Jwks,
    /// `[applications.NAME]`, by name.
    pub applications: BTreeMap<String, Application>,
    /// `[users]`
    pub users: Users,
    /// `[nodes]`
    pub nodes: Nodes,
    /// `[workers]`
    pub workers: Workers,
    /// `[metrics]`
    pub metrics: Metrics,
    /// `[log]`
    pub log: Log,
    /// `[secrets]`
    pub secrets: Secrets,
}

/// The HTTP listener and what one request may cost.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Http {
    /// Address to listen on. Default `127.0.0.1:5000`; TLS is the proxy's business, so think before
    /// you leave loopback.
    pub listen: SocketAddr,
    /// What a request may take from its arrival to its answer, jobs and database included; then it
    /// gets 503. Its body may take as long to arrive; then it gets 408. Default `10s`.
    #[serde(deserialize_with = "units::duration")]
    pub request_timeout: Duration,
    /// How long a connection may wait for its next request, and how long a client may take to send the
    /// head of one. Set it higher than the time for which a proxy keeps its connections to this server,
    /// so that it is the proxy that closes them. Default `75s`.
    #[serde(deserialize_with = "units::duration")]
    pub idle_timeout: Duration,
    /// What requests in flight get to finish once the server was told to stop. Default `20s`.
    #[serde(deserialize_with = "units::duration")]
    pub drain_timeout: Duration,
    /// Largest head of a request, in bytes; beyond it 431. Default 32768.
    pub max_header_bytes: usize,
    /// Largest body of a request, in bytes; beyond it 413. No route reads one. Default 16384.
    pub max_body_bytes: u64,
    /// Addresses of proxies, such as `["127.0.0.1/32"]`, whose `Forwarded` and `X-Forwarded-*` headers
    /// are believed. Default none.
    pub trusted_proxies: Vec<IpNet>,
    /// Most connections at a time; further ones wait in the kernel's backlog. Default 4096.
    pub max_connections: NonZeroUsize,
    /// What `/__version__` answers: a file as Dockerflow has it, a JSON object with `source`, `version`,
    /// `commit` and `build`. Read at the start. Default: `version.json` in the directory that the
    /// server is started in; where there is none, the version that was compiled in.
    pub version_file: Option<PathBuf>,
    /// What that file holds.
    #[serde(skip)]
    pub version: Option<Map<String, Value>>,
}

impl Default for Http {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 5000)),
            request_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(75),
            drain_timeout: Duration::from_secs(20),
            max_header_bytes: 32 * 1024,
            max_body_bytes: 16 * 1024,
            trusted_proxies: Vec::new(),
            max_connections: NonZeroUsize::new(4096).expect("4096 is not zero"),
            version_file: None,
            version: None,
        }
    }
}

/// Whose BrowserID assertions are accepted.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BrowserId {
    /// This server's origin as clients know it, or a list of them; its own address is the first. No
    /// default.
    #[serde(deserialize_with = "units::audiences")]
    pub audience: Vec<Audience>,
    /// Issuers that may vouch for addresses of any host. Default none.
    #[serde(default)]
    pub trusted_issuers: Vec<IssuerHost>,
    /// The only issuers that are accepted. Default: every issuer that may speak for the address.
    #[serde(default)]
    pub allowed_issuers: Option<Vec<IssuerHost>>,
    /// Accepted signature algorithms. Default `["RS256", "DS128", "DS256"]`.
    #[serde(default = "default_algorithms")]
    pub algorithms: Vec<SignatureAlgorithm>,
    /// Ask this server for every support document, with the `Host` of the issuer, instead of the
    /// issuers themselves over HTTPS. The only way to reach private addresses. Default none.
    #[serde(default)]
    pub gateway: Option<Gateway>,
    /// `[browserid.documents]`
    #[serde(default)]
    pub documents: Documents,
}

impl BrowserId {
    /// This server's own address.
    #[must_use]
    pub fn origin(&self) -> Option<&str> {
        self.audience.first().map(Audience::as_str)
    }
}

fn default_algorithms() -> Vec<SignatureAlgorithm> {
    SignatureAlgorithm::DEFAULT.to_vec()
}

/// How support documents are fetched and kept.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Documents {
    /// What all fetches of one request may take together; shorter than `http.request_timeout`.
    /// Default `5s`.
    #[serde(deserialize_with = "units::duration")]
    pub timeout: Duration,
    /// Largest document, in bytes. Default 65536.
    pub max_bytes: usize,
    /// How long a document is used without asking again. Default `1h`.
    #[serde(deserialize_with = "units::duration")]
    pub fresh_for: Duration,
    /// How long after its fetch a document is used while its host cannot be asked. Default `1day`.
    #[serde(deserialize_with = "units::duration")]
    pub stale_for: Duration,
    /// How long a host that could not be asked, or that had no document, is left alone. Default
    /// `15s`.
    #[serde(deserialize_with = "units::duration")]
    pub retry_after: Duration,
    /// Most hosts remembered; the least recently used goes first. Default 1000.
    pub max_hosts: NonZeroUsize,
    /// Most fetches at a time for hosts that no setting names. Who waits in vain for a place gets 503.
    /// Default 32.
    pub max_fetches: NonZeroUsize,
}

impl Default for Documents {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(5),
            max_bytes: 64 * 1024,
            fresh_for: Duration::from_secs(60 * 60),
            stale_for: Duration::from_secs(24 * 60 * 60),
            retry_after: Duration::from_secs(15),
            max_hosts: NonZeroUsize::new(1000).expect("1000 is not zero"),
            max_fetches: NonZeroUsize::new(32).expect("32 is not zero"),
        }
    }
}

/// Who gets in.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Users {
    /// Whether accounts that are not in the database are added. Default true.
    pub allow_new: bool,
    /// A file with the users who are let in, and nobody else. One a line: patterns (`*`, `?`, `[...]`)
    /// for the issuer and the user's id there, with white space between. Read again when it changes.
    /// Default: everybody.
    pub allow_file: Option<PathBuf>,
    /// A file with users who are kept out, written likewise. Default: nobody.
    pub deny_file: Option<PathBuf>,
    /// Whether the users who are let in, and nobody else, are (also) on the list `allow` in the
    /// database's table `token_server_access`, which is made where it is missing. Read again when it
    /// changes. Default false.
    pub allow_table: bool,
    /// Whether users are kept out who are on the list `deny` in that table. Default false.
    pub deny_table: bool,
}

impl Default for Users {
    fn default() -> Self {
        Self {
            allow_new: true,
            allow_file: None,
            deny_file: None,
            allow_table: false,
            deny_table: false,
        }
    }
}

/// How nodes are filled.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Nodes {
    /// The share of its capacity that a node is opened for when no node has places left. Default 0.1.
    pub capacity_release_rate: Share,
    /// `[[nodes.types]]`: what answers say in `node_type`. The first that fits the node counts.
    pub types: Vec<NodeType>,
}

impl Default for Nodes {
    fn default() -> Self {
        Self {
            capacity_release_rate: Share::TENTH,
            types: Vec::new(),
        }
    }
}

/// A name for a group of nodes.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeType {
    /// The name, such as `mysql`.
    pub label: String,
    /// Which nodes have it.
    pub pattern: NodePattern,
}

/// Where `/metrics` is. Default: nowhere, since it tells strangers how busy the server is.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Metrics {
    /// Whether it is on the listener of the requests.
    pub shared: bool,
    /// A listener of its own for it: `127.0.0.1:9105`.
    pub listen: Option<SocketAddr>,
}

/// What is logged, to standard error.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// A `tracing` filter. Default `info`.
    pub filter: String,
    /// `text` or `json`. Default `text`.
    pub format: LogFormat,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            filter: "info".to_owned(),
            format: LogFormat::default(),
        }
    }
}

/// The shape of log lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// The secrets. Each is given either as text (`token`) or as the path of a file that holds it
/// (`token_file`), whose final newline doesn't count. None has a default.
#[derive(Clone, Debug)]
pub struct Secrets {
    /// What tokens are signed with, shared with the nodes. One of: `secrets.token` (a text, or a list
    /// with the newest last), `secrets.token_file` (a path, or a list of them), `secrets.nodes_file` (a
    /// file with lines `node,timestamp:secret,...`), `secrets.master_file` (a path, or a list of them:
    /// every node's secret is derived from it).
    pub token: TokenSecrets,
    /// `secrets.jwt_key_files`: private keys in PEM that JWTs are signed with, the newest last. Their
    /// public halves are at `/.well-known/jwks.json`. Default none.
    pub jwt_keys: Vec<Secret>,
    /// `secrets.metrics`: the key of the hashes that stand for users in the nodes' metrics.
    pub metrics: Secret,
}
