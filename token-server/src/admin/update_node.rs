use clap::{ArgGroup, Args};
use serde_json::json;
use token_server_web::store::NodeChange;

use super::options::{AdminOptions, no_node};
use crate::failure::Failure;

/// Change a node: its capacity, its places, its load, or whether it takes users.
///
/// What isn't given stays as it is. Servers read the table for every new user, so that a change counts
/// at once.
///
/// Example: `token-server update-node https://sync1.example.org --downed true`
#[derive(Args)]
#[command(group = ArgGroup::new("change").required(true).multiple(true))]
pub(crate) struct UpdateNode {
    /// Its URL.
    node: String,

    /// Users it can hold.
    #[arg(long, group = "change", value_parser = clap::value_parser!(i64).range(0..=i64::from(i32::MAX)))]
    capacity: Option<i64>,

    /// Users it may take before places are released again.
    #[arg(long, group = "change", value_parser = clap::value_parser!(i64).range(0..=i64::from(i32::MAX)))]
    available: Option<i64>,

    /// Users it has.
    #[arg(long, group = "change", value_parser = clap::value_parser!(i64).range(0..=i64::from(i32::MAX)))]
    current_load: Option<i64>,

    /// Whether it is out of service: it takes nobody, and nobody's data there is removed.
    #[arg(long, group = "change", value_name = "true|false", num_args = 0..=1, default_missing_value = "true")]
    downed: Option<bool>,

    /// Whether it takes nobody new for a while.
    #[arg(long, group = "change", value_name = "true|false", num_args = 0..=1, default_missing_value = "true")]
    backoff: Option<bool>,

    #[command(flatten)]
    options: AdminOptions,
}

impl UpdateNode {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let change = NodeChange {
            capacity: self.capacity,
            available: self.available,
            current_load: self.current_load,
            downed: self.downed,
            backoff: self.backoff,
        };
        let node = &self.node;
        self.options.run(async |ground| {
            let service = ground.service.id;
            if ground.store.update_node(service, node, &change).await? {
                Ok(())
            } else {
                Err(no_node(node))
            }
        })?;
        let value = json!({ "node": node, "changed": true });
        self.options.say(&value, &format!("changed {node}"))
    }
}
