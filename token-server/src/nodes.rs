//! What the nodes in the database need before their applications are served.

use token_server_web::{
    settings::{NodeUrl, Settings},
    store::{NewNode, Seeded, Store},
};

use crate::failure::Failure;

/// Gives the applications their first nodes, where the settings name them, and warns of nodes that have no
/// secret: their users would get no token.
pub(crate) async fn prepare(store: &Store, settings: &Settings) -> Result<(), Failure> {
    seed(store, settings).await?;
    for (name, application) in &settings.applications {
        if !application.nodes {
            continue;
        }
        let service = format!("{name}-{}", application.version);
        let Some(known) = store.service(&service).await? else {
            continue;
        };
        let own = application.secret.as_ref();
        let secrets = own.unwrap_or(&settings.secrets.token);
        for node in store.node_urls(known.id).await? {
            if secrets.newest(&node).is_none() {
                tracing::warn!(
                    service,
                    node,
                    "no secret in secrets.nodes_file is for this node"
                );
            }
        }
    }
    Ok(())
}

async fn seed(store: &Store, settings: &Settings) -> Result<(), Failure> {
    for (name, application) in &settings.applications {
        let Some(url) = application.init_node_url.as_ref().map(NodeUrl::as_str) else {
            continue;
        };
        let version = &application.version;
        let default_pattern = format!("{{node}}/{version}/{{uid}}");
        let pattern = application.endpoint.as_ref().unwrap_or(&default_pattern);
        let capacity = i64::from(application.init_node_capacity.get());
        let node = NewNode {
            url: url.to_owned(),
            capacity,
            available: settings.nodes.capacity_release_rate.of(capacity),
            ..NewNode::default()
        };
        let service = format!("{name}-{version}");
        match store.seed(&service, pattern, &node).await? {
            Seeded::Added => tracing::info!(service, node = url, "added its first node"),
            Seeded::Known => {}
            Seeded::HasOthers => tracing::warn!(
                service,
                node = url,
                "has other nodes, so init_node_url is not added; do that with: token-server add-node"
            ),
        }
    }
    Ok(())
}
