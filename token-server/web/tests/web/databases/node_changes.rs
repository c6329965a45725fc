//! Nodes that change while users are on their way there.

use std::sync::Arc;

use token_server_web::store::{NewNode, NodeChange, Store};

use super::{
    Database, Kind, log_in, open_at,
    others::{Other, servers, wait_for_attempts, wait_for_transactions},
    sync,
};

const FIRST: &str = "https://node1.test";
const SECOND: &str = "https://node2.test";

/// A database with two nodes, of which the first one is to be preferred, for a lock that is waited for long.
async fn two_nodes(kind: Kind) -> (Database, Arc<Store>) {
    let database = Database::make(kind).await;
    let timeout = [
        ("database.busy_timeout", "30s"),
        ("database.statement_timeout", "30s"),
    ];
    let store = open_at(&database, &database.url, &timeout).await.unwrap();
    let service = sync(&store).await;
    for (url, current_load) in [(FIRST, 0), (SECOND, 10)] {
        let node = NewNode {
            url: url.to_owned(),
            capacity: 100,
            available: 50,
            current_load,
            ..NewNode::default()
        };
        store.add_node(service.id, &node).await.unwrap();
    }
    (database, Arc::new(store))
}

/// Logs in by another task: the node.
fn log_in_soon(store: &Arc<Store>, generation: i64) -> tokio::task::JoinHandle<String> {
    let store = Arc::clone(store);
    tokio::spawn(async move {
        let service = sync(&store).await;
        let state = format!("{generation:04x}");
        let claims = (generation, generation, state.as_str());
        let user = log_in(&store, &service, "a@x.test", 1000 * generation, claims).await;
        user.unwrap().unwrap().node
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_sent_to_a_node_that_goes_down_or_backs_off_meanwhile() {
    for kind in servers() {
        for change in ["downed = 1", "backoff = 1"] {
            let (database, store) = two_nodes(kind).await;
            let mut operator = Other::begin(&database).await;
            operator
                .execute(&format!("UPDATE nodes SET {change} WHERE node = '{FIRST}'"))
                .await;
            // It picks the first node, as it was, and waits for its turn to take a place there.
            let login = log_in_soon(&store, 1);
            wait_for_attempts(&database, &login, 1).await;
            operator.commit().await;
            assert_eq!(login.await.unwrap(), SECOND, "{kind:?}: {change}");
            let load = format!("FROM nodes WHERE node = '{FIRST}'");
            assert_eq!(database.number("current_load", &load).await, 0, "{kind:?}");
            store.close().await;
            database.remove().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn places_that_another_server_has_just_opened_are_found() {
    for kind in servers() {
        let (database, store) = two_nodes(kind).await;
        database.script("UPDATE nodes SET available = 0").await;
        let mut other = Other::begin(&database).await;
        other.execute("UPDATE nodes SET available = 10").await;
        // It finds no place, and wants to open some.
        let login = log_in_soon(&store, 1);
        wait_for_attempts(&database, &login, 1).await;
        other.commit().await;
        assert_eq!(login.await.unwrap(), FIRST, "{kind:?}");
        store.close().await;
        database.remove().await;
    }
}

/// Whether the login comes first or second, and whether the user is known or new.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_stays_at_a_node_that_is_cleared_while_they_log_in() {
    for kind in servers() {
        for (login_first, remove) in [(true, false), (false, false), (true, true), (false, true)] {
            let what = format!("{kind:?}: login first {login_first}, remove {remove}");
            let (database, store) = two_nodes(kind).await;
            let service = sync(&store).await;
            assert_eq!(log_in_soon(&store, 1).await.unwrap(), FIRST);
            let closed = NodeChange {
                backoff: Some(true),
                ..NodeChange::default()
            };
            assert!(store.update_node(service.id, FIRST, &closed).await.unwrap());

            let mut other = Other::begin(&database).await;
            other.execute("SELECT uid FROM users FOR UPDATE").await;
            let clear = || {
                let (store, id) = (Arc::clone(&store), service.id);
                tokio::spawn(async move { store.clear_node(id, FIRST, 5000, remove).await })
            };
            let (login, cleared);
            if login_first {
                login = log_in_soon(&store, 2);
                wait_for_transactions(&database, 1).await;
                cleared = clear();
            } else {
                cleared = clear();
                wait_for_transactions(&database, 1).await;
                login = log_in_soon(&store, 2);
            }
            wait_for_transactions(&database, 2).await;
            other.roll_back().await;
            login.await.unwrap();
            assert_eq!(cleared.await.unwrap().unwrap(), Some(1), "{what}");
            let there = "FROM users WHERE nodeid = 1 AND replaced_at IS NULL";
            assert_eq!(database.number("COUNT(*)", there).await, 0, "{what}");
            assert_eq!(log_in_soon(&store, 2).await.unwrap(), SECOND, "{what}");
            store.close().await;
            database.remove().await;
        }
    }
}

/// Who has picked the node before it was closed has not taken a place there yet, or is waited for.
#[tokio::test(flavor = "multi_thread")]
async fn new_users_who_are_being_placed_are_waited_for_by_who_clears_the_node() {
    for kind in servers() {
        let (database, store) = two_nodes(kind).await;
        let service = sync(&store).await;
        let mut other_server = Other::begin(&database).await;
        other_server
            .execute("UPDATE nodes SET current_load = current_load + 1 WHERE id = 1")
            .await;
        other_server
            .execute(
                "INSERT INTO users (service, email, nodeid, generation, client_state, created_at) \
                 VALUES (1, 'b@x.test', 1, 1, 'aa', 1000)",
            )
            .await;
        let clearing = {
            let (store, id) = (Arc::clone(&store), service.id);
            tokio::spawn(async move { store.clear_node(id, FIRST, 5000, false).await })
        };
        wait_for_attempts(&database, &clearing, 1).await;
        other_server.commit().await;
        assert_eq!(clearing.await.unwrap().unwrap(), Some(1), "{kind:?}");
        store.close().await;
        database.remove().await;
    }
}

/// Other programs free a place without a look at how many are taken.
#[tokio::test]
async fn a_load_below_nothing_counts_as_none() {
    for kind in Kind::wanted() {
        let (database, store) = two_nodes(kind).await;
        database
            .script("UPDATE nodes SET current_load = -1 WHERE id = 1")
            .await;
        assert_eq!(log_in_soon(&store, 1).await.unwrap(), FIRST, "{kind:?}");
        store.close().await;
        database.remove().await;
    }
}
