use clap::Args;
use serde_json::json;
use token_server_web::{settings::NodeUrl, store::NewNode};

use super::options::AdminOptions;
use crate::failure::Failure;

/// Add a node: a server that users' data can lie on.
///
/// New users go to the node with the least load for its capacity, as long as it has places. When no
/// node has places left, each gets some more, by the setting nodes.capacity_release_rate.
///
/// Example: `token-server add-node https://sync1.example.org 10000`
#[derive(Args)]
pub(crate) struct AddNode {
    /// Its URL, without a slash at the end.
    node: NodeUrl,

    /// Users it can hold.
    #[arg(value_parser = clap::value_parser!(i64).range(0..=i64::from(i32::MAX)))]
    capacity: i64,

    /// Users it may take before places are released again. Default: a share of its capacity, by the
    /// setting nodes.capacity_release_rate.
    #[arg(long, value_parser = clap::value_parser!(i64).range(0..=i64::from(i32::MAX)))]
    available: Option<i64>,

    /// Users it has already.
    #[arg(long, default_value = "0", value_parser = clap::value_parser!(i64).range(0..=i64::from(i32::MAX)))]
    current_load: i64,

    /// It is out of service: it takes nobody.
    #[arg(long)]
    downed: bool,

    /// It takes nobody new for a while.
    #[arg(long)]
    backoff: bool,

    #[command(flatten)]
    options: AdminOptions,
}

impl AddNode {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let (id, available) = self.options.run(async |ground| {
            let rate = ground.settings.nodes.capacity_release_rate;
            let available = self.available.unwrap_or_else(|| rate.of(self.capacity));
            let node = NewNode {
                url: self.node.as_str().to_owned(),
                capacity: self.capacity,
                available,
                current_load: self.current_load,
                downed: self.downed,
                backoff: self.backoff,
            };
            let id = ground.store.add_node(ground.service.id, &node).await?;
            Ok((id, available))
        })?;
        let (node, capacity) = (self.node.as_str(), self.capacity);
        let value = json!({ "id": id, "node": node, "capacity": capacity, "available": available });
        let text = format!("added {node} with {available} of {capacity} places open");
        self.options.say(&value, &text)
    }
}
