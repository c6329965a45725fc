//! What operators do to users and nodes.

mod access;
mod events;
mod nodes;
mod purge;
mod seed;
mod users;

pub use access::{AccessEntry, AccessList};
pub use nodes::NodeChange;
pub use purge::{OldNode, OldRecord, OldRecords};
pub use seed::Seeded;
