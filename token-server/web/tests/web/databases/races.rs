use std::{collections::BTreeMap, sync::Arc};

use token_server_web::store::{NewNode, Store};
use tokio::task::JoinSet;

use super::{Database, Kind, log_in, open, sync};

const ACCOUNTS: i64 = 12;

/// Two servers on one database, each with a node to fill.
async fn two_servers(kind: Kind) -> (Database, [Arc<Store>; 2]) {
    let database = Database::make(kind).await;
    let stores = [
        Arc::new(open(&database).await.unwrap()),
        Arc::new(open(&database).await.unwrap()),
    ];
    let service = sync(&stores[0]).await;
    for url in ["https://node1.test", "https://node2.test"] {
        let node = NewNode {
            url: url.to_owned(),
            capacity: 1000,
            available: 1000,
            ..NewNode::default()
        };
        stores[0].add_node(service.id, &node).await.unwrap();
    }
    (database, stores)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_comes_to_two_servers_at_once_is_made_once() {
    for kind in Kind::wanted() {
        let (database, stores) = two_servers(kind).await;
        let service = sync(&stores[0]).await;
        let mut logins = JoinSet::new();
        for account in 0..ACCOUNTS {
            for repetition in 0..4 {
                let store = Arc::clone(&stores[repetition % 2]);
                let service = Arc::clone(&service);
                logins.spawn(async move {
                    let email = format!("{account}@accounts.test");
                    let user = log_in(&store, &service, &email, 1000, (1, 1, "aaaa")).await;
                    (account, user.unwrap().unwrap().uid)
                });
            }
        }
        let mut uids = BTreeMap::new();
        for (account, uid) in logins.join_all().await {
            let known = *uids.entry(account).or_insert(uid);
            assert_eq!(known, uid, "{kind:?}: {account} was made twice");
        }
        assert_eq!(database.number("COUNT(*)", "FROM users").await, ACCOUNTS);
        let load = database.number("SUM(current_load)", "FROM nodes").await;
        assert_eq!(load, ACCOUNTS, "{kind:?}");
        let places = database.number("SUM(available)", "FROM nodes").await;
        assert_eq!(places, 2000 - ACCOUNTS, "{kind:?}");
        for store in stores {
            store.close().await;
        }
        database.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_two_servers_change_at_once_has_one_record_in_use() {
    for kind in Kind::wanted() {
        let (database, stores) = two_servers(kind).await;
        let service = sync(&stores[0]).await;
        let mut logins = JoinSet::new();
        for change in 0..24_i64 {
            let store = Arc::clone(&stores[usize::try_from(change % 2).unwrap()]);
            let service = Arc::clone(&service);
            logins.spawn(async move {
                let state = format!("{:04x}", change / 2);
                let claims = (change / 2, change / 2, state.as_str());
                // Late ones may be refused; none may fail.
                let _ = log_in(&store, &service, "one@accounts.test", 1000 + change, claims)
                    .await
                    .unwrap();
            });
        }
        logins.join_all().await;
        let in_use = database
            .number("COUNT(*)", "FROM users WHERE replaced_at IS NULL")
            .await;
        assert_eq!(in_use, 1, "{kind:?}");
        let states = database.number("COUNT(DISTINCT client_state)", "FROM users");
        let rows = database.number("COUNT(*)", "FROM users").await;
        assert_eq!(states.await, rows, "{kind:?}: a change was made twice");
        let load = database.number("SUM(current_load)", "FROM nodes").await;
        assert_eq!(load, 1, "{kind:?}: a change of state takes no place");
        for store in stores {
            store.close().await;
        }
        database.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_meets_a_login_changes_the_record_that_the_login_makes() {
    for kind in Kind::wanted() {
        let (database, stores) = two_servers(kind).await;
        let service = sync(&stores[0]).await;
        for account in 0..40 {
            let email = Arc::new(format!("{account}@accounts.test"));
            let first = log_in(&stores[0], &service, &email, 1000, (1, 1, "aa")).await;
            first.unwrap().unwrap();
            let login = {
                let (store, service) = (Arc::clone(&stores[0]), Arc::clone(&service));
                let email = Arc::clone(&email);
                tokio::spawn(async move {
                    // It may come too late.
                    let _ = log_in(&store, &service, &email, 2000, (2, 2, "bb"))
                        .await
                        .unwrap();
                })
            };
            let event = {
                let (store, service) = (Arc::clone(&stores[1]), service.id);
                let email = Arc::clone(&email);
                tokio::spawn(async move { store.retire_user(service, &email, 3000).await })
            };
            login.await.unwrap();
            assert!(event.await.unwrap().unwrap() > 0, "{kind:?}: {email}");
        }
        let in_use = database
            .number("COUNT(*)", "FROM users WHERE replaced_at IS NULL")
            .await;
        assert_eq!(in_use, 0, "{kind:?}: accounts were deleted");
        for store in stores {
            store.close().await;
        }
        database.remove().await;
    }
}

#[tokio::test]
async fn the_last_places_are_given_once() {
    for kind in Kind::wanted() {
        let (database, stores) = two_servers(kind).await;
        database
            .script("UPDATE nodes SET capacity = 3, available = 3")
            .await;
        let service = sync(&stores[0]).await;
        let mut logins = JoinSet::new();
        for account in 0..10_usize {
            let store = Arc::clone(&stores[account % 2]);
            let service = Arc::clone(&service);
            logins.spawn(async move {
                let email = format!("{account}@accounts.test");
                log_in(&store, &service, &email, 1000, (1, 1, ""))
                    .await
                    .is_ok()
            });
        }
        let placed = logins.join_all().await.into_iter().filter(|ok| *ok).count();
        assert_eq!(placed, 6, "{kind:?}");
        let full = database
            .number(
                "COUNT(*)",
                "FROM nodes WHERE current_load = 3 AND available = 0",
            )
            .await;
        assert_eq!(full, 2, "{kind:?}");
        for store in stores {
            store.close().await;
        }
        database.remove().await;
    }
}

#[tokio::test]
async fn accounts_that_differ_by_case_alone_are_strangers() {
    for kind in Kind::wanted() {
        let (database, stores) = two_servers(kind).await;
        if kind == Kind::MySql {
            // As in databases that others made.
            database
                .script("ALTER TABLE users MODIFY email VARCHAR(255) COLLATE utf8mb4_general_ci NOT NULL")
                .await;
        }
        let service = sync(&stores[0]).await;
        let mut uids = Vec::new();
        for email in [
            "bob@accounts.test",
            "Bob@accounts.test",
            "bob@accounts.test",
        ] {
            let user = log_in(&stores[0], &service, email, 1000, (1, 1, "aaaa")).await;
            uids.push(user.unwrap().unwrap().uid);
        }
        assert_ne!(uids[0], uids[1], "{kind:?}");
        assert_eq!(uids[0], uids[2], "{kind:?}");
        let users = stores[0].count_users(service.id, 1000).await.unwrap();
        assert_eq!(users, 2, "{kind:?}");
        for store in stores {
            store.close().await;
        }
        database.remove().await;
    }
}
