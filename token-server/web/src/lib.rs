//! The HTTP tier of the token server: it takes requests, asks the database, fetches support documents
//! and keys, and has everything that burns CPU (verifying assertions and JWTs, issuing tokens) done elsewhere: by workers
//! behind a [`powerhose::JobRunner`], or whatever else [`Jobs`](jobs::Jobs) stands for.
//!
//! ```text
//! app(App) ── envelope ── routes::token ── identity ─── documents, keys     who may sign
//!             limits,         │               └──────── jobs: verify
//!             deadline        ├── store ── users        uid and node
//!                             └── jobs: issue
//! ```
//!
//! It holds no signature, key derivation or JWT code, and never will: it cannot do the workers' job.

#![forbid(unsafe_code)]

pub mod access;
mod answer;
mod app;
mod client_state;
mod clock;
mod credentials;
mod current;
pub mod documents;
mod envelope;
mod failure;
mod forwarded;
mod identity;
pub mod jobs;
mod keys;
mod metrics;
pub mod outbound;
mod routes;
pub mod server;
pub mod settings;
pub mod store;
mod tokens;
pub mod users;

pub use app::{App, app, metrics_app};
pub use current::Successor;
pub use identity::{Identities, IdentitiesError};
