//! What operators do to users and nodes: one file per command.

mod access;
mod add_node;
mod allocate_user;
mod clear_node;
mod count_users;
mod options;
mod progress;
mod purge;
mod update_node;

pub(crate) use access::Access;
pub(crate) use add_node::AddNode;
pub(crate) use allocate_user::AllocateUser;
pub(crate) use clear_node::{RemoveNode, UnassignNode};
pub(crate) use count_users::CountUsers;
pub(crate) use purge::PurgeOldRecords;
pub(crate) use update_node::UpdateNode;
