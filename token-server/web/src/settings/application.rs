//! `[applications.NAME]`.

use std::{collections::BTreeMap, num::NonZeroU32, path::PathBuf, time::Duration};

use serde::Deserialize;

use super::{
    token::{Token, TokenSecrets},
    units::{self, NodeUrl},
};

/// One application that tokens are issued for, at `/1.0/NAME/VERSION`. Its row in the table of
/// services is called `NAME-VERSION`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Application {
    /// The version in the URL, such as `1.5`.
    pub version: String,
    /// Where a user's data lies: a pattern with `{node}`, `{uid}` and `{service}`. Default: what the
    /// table of services says. Must be set where there are no nodes.
    #[serde(default)]
    pub endpoint: Option<String>,
    /// Whether users are spread over nodes. Default true. Without nodes the database isn't asked:
    /// users need no row in it, `uid` is the user's identifier at the identity provider, and the
    /// numbers that protect Sync's keys (generation and the like) are not kept.
    #[serde(default = "default_nodes")]
    pub nodes: bool,
    /// A node to begin with: added when the server starts and the application has none, along with its
    /// row in the table of services. Default none.
    #[serde(default)]
    pub init_node_url: Option<NodeUrl>,
    /// Users that it can hold. Default 100000.
    #[serde(default = "default_init_node_capacity")]
    pub init_node_capacity: NonZeroU32,
    /// `[applications.NAME.token]`
    #[serde(default)]
    pub token: Token,
    /// A file with a secret for this application alone. Default: that of `[secrets]`, which whoever
    /// has it can make tokens for every application with.
    #[serde(default)]
    pub secret_file: Option<PathBuf>,
    /// What `secret_file` holds.
    #[serde(skip)]
    pub secret: Option<TokenSecrets>,
    /// Whose identities count: `browserid`, `oauth`, and names of issuers. Default: all that are set.
    #[serde(default)]
    pub identities: Option<Vec<String>>,
    /// How long a token is good for, and the most that `?duration=` can ask for. In whole seconds.
    /// Default `5m`.
    #[serde(
        default = "default_token_lifetime",
        deserialize_with = "units::duration"
    )]
    pub token_lifetime: Duration,
}

impl Application {
    /// Whether identities of `source` count.
    #[must_use]
    pub fn takes(&self, source: &str) -> bool {
        self.identities
            .as_ref()
            .is_none_or(|names| names.iter().any(|name| name == source))
    }
}

fn default_nodes() -> bool {
    true
}

fn default_init_node_capacity() -> NonZeroU32 {
    NonZeroU32::new(100_000).expect("100000 is not zero")
}

fn default_token_lifetime() -> Duration {
    Duration::from_secs(5 * 60)
}

pub(super) fn default_applications() -> BTreeMap<String, Application> {
    BTreeMap::from([(
        "sync".to_owned(),
        Application {
            version: "1.5".to_owned(),
            endpoint: None,
            nodes: default_nodes(),
            init_node_url: None,
            init_node_capacity: default_init_node_capacity(),
            token: Token::default(),
            secret_file: None,
            secret: None,
            identities: None,
            token_lifetime: default_token_lifetime(),
        },
    )])
}
