//! Whoever has others in the way tries again, operators' commands too.

use std::sync::Arc;

use token_server_web::store::{NewNode, NodeChange, OldRecords, Store, StoreError};
use tokio::task::JoinSet;

use super::{
    Database, Kind, log_in, open_at,
    others::{Other, servers, wait_for_attempts},
    sync,
};

const NODE: &str = "https://node1.test";

/// A database with a node, a user there, and an old record of theirs.
async fn with_user(database: &Database, lock_timeout: &str) -> Arc<Store> {
    let timeout = [("database.busy_timeout", lock_timeout)];
    let store = open_at(database, &database.url, &timeout).await.unwrap();
    let service = sync(&store).await;
    store.add_node(service.id, &node(NODE)).await.unwrap();
    for (generation, state) in [(1, "aa"), (2, "bb")] {
        let claims = (generation, generation, state);
        let user = log_in(&store, &service, "a@x.test", 1000 * generation, claims).await;
        user.unwrap().unwrap();
    }
    Arc::new(store)
}

fn node(url: &str) -> NewNode {
    NewNode {
        url: url.to_owned(),
        capacity: 1000,
        available: 1000,
        ..NewNode::default()
    }
}

/// What changes something in the database, other than logins.
#[derive(Clone, Copy, Debug)]
enum Command {
    UpdateNode,
    Unassign,
    RemoveNode,
    AddNode,
    Allocate,
    Delete,
    Defer,
}

impl Command {
    /// All but the one that meets a deadlock.
    const ALL: [Self; 6] = [
        Self::UpdateNode,
        Self::Unassign,
        Self::AddNode,
        Self::Allocate,
        Self::Delete,
        Self::Defer,
    ];

    /// What another program does that is in the way.
    fn hindrance(self) -> &'static str {
        match self {
            Self::UpdateNode | Self::RemoveNode | Self::Allocate => {
                "SELECT id FROM nodes FOR UPDATE"
            }
            Self::AddNode => {
                "INSERT INTO nodes (service, node, available, current_load, capacity, downed, backoff) \
                 VALUES (1, 'https://node2.test', 0, 0, 0, 0, 0)"
            }
            Self::Unassign | Self::Delete | Self::Defer => "SELECT uid FROM users FOR UPDATE",
        }
    }

    /// Does it, and says what came of it.
    async fn run(self, store: &Store) -> Result<String, StoreError> {
        let service = sync(store).await;
        let id = service.id;
        let all = OldRecords {
            service: id,
            before_ms: i64::MAX,
            uids: 0..=i64::MAX,
        };
        let old = async || store.old_records(&all, None, 1).await;
        Ok(match self {
            Self::UpdateNode => {
                let change = NodeChange {
                    backoff: Some(true),
                    ..NodeChange::default()
                };
                format!("{:?}", store.update_node(id, NODE, &change).await?)
            }
            Self::Unassign => format!("{:?}", store.clear_node(id, NODE, 5000, false).await?),
            Self::RemoveNode => format!("{:?}", store.clear_node(id, NODE, 5000, true).await?),
            Self::AddNode => {
                store.add_node(id, &node("https://node2.test")).await?;
                String::new()
            }
            Self::Allocate => {
                let user = store
                    .allocate_user(&service, "b@x.test", None, 5000)
                    .await?;
                user.expect("any node will do").node
            }
            Self::Delete => {
                let deleted = store.delete_old_record(id, &old().await?[0]).await?;
                format!("{deleted:?}")
            }
            Self::Defer => {
                store.defer_old_record(&old().await?[0], 7000).await?;
                old().await?[0].replaced_at.to_string()
            }
        })
    }

    fn expected(self) -> &'static str {
        match self {
            Self::UpdateNode | Self::Delete => "true",
            Self::Unassign | Self::RemoveNode => "Some(1)",
            Self::AddNode => "",
            Self::Allocate => NODE,
            Self::Defer => "7000",
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_that_get_no_lock_in_time_are_done_once_it_is_free() {
    for kind in servers() {
        for command in Command::ALL {
            let database = Database::make(kind).await;
            let store = with_user(&database, "1s").await;
            let mut other = Other::begin(&database).await;
            other.execute(command.hindrance()).await;
            let doing = Arc::clone(&store);
            let work = tokio::spawn(async move { command.run(&doing).await });
            wait_for_attempts(&database, &work, 2).await;
            other.roll_back().await;
            let outcome = work.await.unwrap();
            let outcome = outcome.unwrap_or_else(|error| error.to_string());
            assert_eq!(outcome, command.expected(), "{kind:?}: {command:?}");
            store.close().await;
            database.remove().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_is_removed_although_a_deadlock_comes_in_between() {
    for kind in servers() {
        let database = Database::make(kind).await;
        let store = with_user(&database, "30s").await;
        database.script("CREATE TABLE weights (number INT)").await;
        let mut other = Other::begin(&database).await;
        // So that it is not the other one that gives way.
        match kind {
            Kind::Sqlite | Kind::Postgres => {
                other.execute("SET LOCAL deadlock_timeout = '10min'").await;
            }
            Kind::MySql => {
                let rows = vec!["(1)"; 1000].join(", ");
                let insert = format!("INSERT INTO weights (number) VALUES {rows}");
                other.execute(&insert).await;
            }
        }
        other.execute("SELECT uid FROM users FOR UPDATE").await;
        let doing = Arc::clone(&store);
        let work = tokio::spawn(async move { Command::RemoveNode.run(&doing).await });
        wait_for_attempts(&database, &work, 1).await;
        // The node's row is the command's, and the users' are not.
        other.execute("SELECT id FROM nodes FOR UPDATE").await;
        other.roll_back().await;
        assert_eq!(work.await.unwrap().unwrap(), "Some(1)", "{kind:?}");
        assert_eq!(database.number("COUNT(*)", "FROM nodes").await, 0);
        let in_use = "FROM users WHERE replaced_at IS NULL";
        assert_eq!(database.number("COUNT(*)", in_use).await, 0, "{kind:?}");
        store.close().await;
        database.remove().await;
    }
}

/// Where a transaction goes on seeing what it saw first, whoever took a place at a node makes all others
/// begin again who want one.
#[tokio::test(flavor = "multi_thread")]
async fn the_isolation_that_a_database_is_set_to_keeps_nobody_out() {
    for kind in servers().filter(|kind| *kind == Kind::Postgres) {
        let database = Database::make(kind).await;
        let isolation = "SET default_transaction_isolation = 'serializable'";
        let sql = format!("ALTER DATABASE {} {isolation}", database.name);
        database.script(&sql).await;
        let settings = [("database.connections", "20")];
        let store = open_at(&database, &database.url, &settings).await.unwrap();
        let store = Arc::new(store);
        let service = sync(&store).await;
        store.add_node(service.id, &node(NODE)).await.unwrap();
        let mut logins = JoinSet::new();
        for account in 0..200 {
            let (store, service) = (Arc::clone(&store), Arc::clone(&service));
            logins.spawn(async move {
                let email = format!("{account}@x.test");
                log_in(&store, &service, &email, 1000, (1, 1, "aa")).await
            });
        }
        for user in logins.join_all().await {
            user.unwrap().unwrap();
        }
        store.close().await;
        database.remove().await;
    }
}
