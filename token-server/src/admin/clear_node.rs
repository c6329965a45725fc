use clap::Args;
use serde_json::json;

use super::{
    options::{AdminOptions, no_node, now_ms},
    progress,
};
use crate::failure::Failure;

/// Remove a node. Its users get another one when they come next.
///
/// Their old records are marked as replaced. Nobody asks the node to remove what it stores for them.
///
/// Example: `token-server remove-node https://sync1.example.org`
#[derive(Args)]
pub(crate) struct RemoveNode {
    /// Its URL.
    node: String,

    #[command(flatten)]
    options: AdminOptions,
}

impl RemoveNode {
    pub(crate) fn run(self) -> Result<(), Failure> {
        clear(&self.options, &self.node, true)
    }
}

/// Take all users off a node, which stays. They get a node again, maybe this one, when they come next.
///
/// Run `update-node --backoff` first if it should not be this one.
///
/// Example: `token-server unassign-node https://sync1.example.org`
#[derive(Args)]
pub(crate) struct UnassignNode {
    /// Its URL.
    node: String,

    #[command(flatten)]
    options: AdminOptions,
}

impl UnassignNode {
    pub(crate) fn run(self) -> Result<(), Failure> {
        clear(&self.options, &self.node, false)
    }
}

fn clear(options: &AdminOptions, node: &str, remove: bool) -> Result<(), Failure> {
    let users = options.run(async |ground| {
        let spinner = progress::spinner(format!("taking users off {node}"));
        let cleared = ground
            .store
            .clear_node(ground.service.id, node, now_ms(), remove)
            .await;
        spinner.finish_and_clear();
        cleared?.ok_or_else(|| no_node(node))
    })?;
    let value = json!({ "node": node, "removed": remove, "users": users });
    let what = if remove { "removed" } else { "cleared" };
    options.say(&value, &format!("{what} {node}, which had {users} users"))
}
