//! What operators do to users and nodes.

mod events;
mod nodes;
mod users;

pub use nodes::NodeChange;
