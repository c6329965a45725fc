//! What operators do to users and nodes.

mod events;
mod nodes;
mod purge;
mod users;

pub use nodes::NodeChange;
pub use purge::{OldNode, OldRecord};
