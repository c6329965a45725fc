//! Keys and lists of keys for tcp: who may connect, and how it is known.
//!
//! Connections over tcp are encrypted and authenticated with CURVE, ZeroMQ's use of Curve25519. A master has a key pair and lists of
//! the public keys that it admits: of workers, of clients and of operators, each at the socket that is meant for them. A worker or a
//! client has a key pair too, and the public key of its master. On ipc the file system decides who may connect, and none of this
//! applies.

mod allow_list;
mod error;
mod key;

use std::fmt;
use std::sync::Arc;

pub use allow_list::AllowList;
pub use error::KeyError;
pub use key::{KeyPair, PublicKey};

/// What a master needs for CURVE: its key pair, and whom it admits. Without lists it admits nobody.
#[derive(Clone)]
pub struct CurveServer {
    pub(crate) keys: Arc<KeyPair>,
    pub(crate) workers: AllowList,
    pub(crate) clients: AllowList,
    pub(crate) operators: AllowList,
}

impl CurveServer {
    /// Admits nobody yet.
    pub fn new(keys: KeyPair) -> Self {
        Self {
            keys: keys.into(),
            workers: AllowList::default(),
            clients: AllowList::default(),
            operators: AllowList::default(),
        }
    }

    /// The keys of workers, admitted where workers register.
    pub fn workers(mut self, list: AllowList) -> Self {
        self.workers = list;
        self
    }

    /// The keys of clients, admitted where clients hand in jobs.
    pub fn clients(mut self, list: AllowList) -> Self {
        self.clients = list;
        self
    }

    /// The keys of operators, admitted where consoles connect.
    pub fn operators(mut self, list: AllowList) -> Self {
        self.operators = list;
        self
    }
}

impl fmt::Debug for CurveServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CurveServer")
            .field("public", &self.keys.public())
            .finish_non_exhaustive()
    }
}

/// What a worker or a client needs for CURVE: its own key pair and the master's public key.
#[derive(Clone)]
pub struct CurveClient {
    pub(crate) keys: Arc<KeyPair>,
    pub(crate) server: PublicKey,
}

impl CurveClient {
    /// Connects with `keys` to the master whose public key is `server`, and to no other.
    pub fn new(keys: KeyPair, server: PublicKey) -> Self {
        Self {
            keys: keys.into(),
            server,
        }
    }
}

impl fmt::Debug for CurveClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CurveClient")
            .field("public", &self.keys.public())
            .field("server", &self.server)
            .finish_non_exhaustive()
    }
}

/// Whether this build can encrypt: the libzmq that it is linked with was built with CURVE.
pub fn is_available() -> bool {
    crate::driver::curve::is_available()
}

#[cfg(doctest)]
#[doc = include_str!("../../../docs/security.md")]
struct Document;
