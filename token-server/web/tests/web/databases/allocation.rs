//! Which node takes a new user, and how places are opened when none is left.

use std::sync::Arc;

use token_server_web::store::{NewNode, Service, Store, StoreError};

use super::{Database, Kind, log_in, open, sync};

const SMALL: &str = "https://small.test";
const LARGE: &str = "https://large.test";
const CROWDED: &str = "https://crowded.test";
const IDLE: &str = "https://idle.test";

/// A service whose nodes a test adds and looks at.
struct Cluster {
    database: Database,
    store: Store,
    service: Arc<Service>,
}

impl Cluster {
    async fn new(kind: Kind) -> Self {
        let database = Database::make(kind).await;
        let store = open(&database).await.unwrap();
        let service = sync(&store).await;
        Self {
            database,
            store,
            service,
        }
    }

    async fn add(&self, node: NewNode) {
        self.store.add_node(self.service.id, &node).await.unwrap();
    }

    /// The node that a new user is sent to.
    async fn place(&self, email: &str) -> Result<String, StoreError> {
        let user = log_in(&self.store, &self.service, email, 1000, (1, 0, "")).await?;
        Ok(user.expect("a new user is let in").node)
    }

    /// The places that a node has to give, and its load.
    async fn places(&self, url: &str) -> (i64, i64) {
        let from = format!("FROM nodes WHERE node = '{url}'");
        (
            self.database.number("available", &from).await,
            self.database.number("current_load", &from).await,
        )
    }

    async fn remove(self) {
        self.store.close().await;
        self.database.remove().await;
    }
}

fn node(url: &str, capacity: i64, current_load: i64, available: i64) -> NewNode {
    NewNode {
        url: url.to_owned(),
        capacity,
        available,
        current_load,
        ..NewNode::default()
    }
}

/// By logarithms the nodes rank 0, 0.57 and 0.98, by ratio 0.1, 0.05 and 0.9.
#[tokio::test]
async fn a_new_user_goes_to_the_node_with_the_least_load_by_its_databases_measure() {
    for kind in Kind::wanted() {
        let cluster = Cluster::new(kind).await;
        // The order of their numbers, which settles ties, is not the one that is expected.
        for (url, capacity, load) in [(CROWDED, 100, 90), (LARGE, 1000, 50), (SMALL, 10, 1)] {
            cluster.add(node(url, capacity, load, 5)).await;
        }
        let (best, load) = match kind {
            Kind::Sqlite => (LARGE, 50),
            Kind::Postgres | Kind::MySql => (SMALL, 1),
        };
        assert_eq!(cluster.place("a@x.test").await.unwrap(), best, "{kind:?}");
        assert_eq!(cluster.places(best).await, (4, load + 1), "{kind:?}");

        let down = format!("UPDATE nodes SET downed = 1 WHERE node = '{SMALL}'");
        cluster.database.script(&down).await;
        assert_eq!(cluster.place("b@x.test").await.unwrap(), LARGE, "{kind:?}");

        cluster.database.script("UPDATE nodes SET downed = 0").await;
        // Its load has no logarithm, and that of its capacity is 0.
        cluster.add(node(IDLE, 1, 0, 1)).await;
        assert_eq!(cluster.place("c@x.test").await.unwrap(), IDLE, "{kind:?}");
        cluster.remove().await;
    }
}

#[tokio::test]
async fn nodes_without_places_are_opened_by_a_share_of_their_capacity() {
    for kind in Kind::wanted() {
        let cluster = Cluster::new(kind).await;
        cluster.add(node(SMALL, 25, 0, 0)).await;
        let (down, backing_off) = (node(LARGE, 25, 0, 0), node(IDLE, 25, 0, 0));
        cluster
            .add(NewNode {
                downed: true,
                ..down
            })
            .await;
        cluster
            .add(NewNode {
                backoff: true,
                ..backing_off
            })
            .await;

        assert_eq!(cluster.place("a@x.test").await.unwrap(), SMALL, "{kind:?}");
        // A tenth of 25, rounded up, less the place that was taken.
        assert_eq!(cluster.places(SMALL).await, (2, 1), "{kind:?}");
        assert_eq!(cluster.places(LARGE).await, (0, 0), "{kind:?}: down");
        assert_eq!(cluster.places(IDLE).await, (3, 0), "{kind:?}: backs off");

        let nearly_full =
            format!("UPDATE nodes SET available = 0, current_load = 24 WHERE node = '{SMALL}'");
        cluster.database.script(&nearly_full).await;
        assert_eq!(cluster.place("b@x.test").await.unwrap(), SMALL, "{kind:?}");
        assert_eq!(cluster.places(SMALL).await, (0, 25), "{kind:?}: the last");
        // There are places left, but at the node that backs off.
        let outcome = cluster.place("c@x.test").await;
        assert!(
            matches!(outcome, Err(StoreError::NoNode)),
            "{kind:?}: {outcome:?}"
        );
        assert_eq!(cluster.places(IDLE).await, (3, 0), "{kind:?}: backs off");
        let users = cluster.database.number("COUNT(*)", "FROM users").await;
        assert_eq!(users, 2, "{kind:?}");
        cluster.remove().await;
    }
}
