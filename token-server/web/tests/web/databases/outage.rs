use std::{sync::Arc, time::Duration};

use token_server_web::store::{NewNode, StoreError};

use super::{
    Database, Kind, log_in, open, open_at,
    others::servers,
    relay::{Mode, Relay},
    sync,
};

#[tokio::test]
async fn a_database_that_comes_back_is_used_again_by_everybody_at_once() {
    for kind in Kind::wanted() {
        if kind == Kind::Sqlite {
            // A file doesn't go away.
            continue;
        }
        let database = Database::make(kind).await;
        let relay = Relay::to(&database.url).await;
        let timeout = [("database.connection_timeout", "500ms")];
        let store = Arc::new(
            open_at(&database, &relay.url(&database.url), &timeout)
                .await
                .unwrap(),
        );
        let service = sync(&store).await;
        let node = NewNode {
            url: "https://node1.test".to_owned(),
            capacity: 10,
            available: 10,
            ..NewNode::default()
        };
        store.add_node(service.id, &node).await.unwrap();
        let log_in = |generation| {
            log_in(
                &store,
                &service,
                "a@accounts.test",
                1000,
                (generation, 0, ""),
            )
        };
        let first = log_in(1).await.unwrap().unwrap();

        relay.set(Mode::Refusing);
        for generation in [1, 2] {
            let patience = Duration::from_secs(30);
            let outcome = tokio::time::timeout(patience, log_in(generation)).await;
            let outcome = outcome.expect("it hangs");
            assert!(
                matches!(outcome, Err(StoreError::Unavailable(_))),
                "{kind:?}: {outcome:?}"
            );
        }

        relay.set(Mode::Open);
        for generation in 1..20 {
            let user = log_in(generation).await.unwrap().unwrap();
            assert_eq!(user.uid, first.uid, "{kind:?}");
        }
        // Idle connections broke meanwhile, and nobody notices.
        relay.set(Mode::Refusing);
        relay.set(Mode::Open);
        for generation in 20..40 {
            assert!(log_in(generation).await.is_ok(), "{kind:?}");
        }
        store.close().await;
        database.remove().await;
    }
}

/// As it does at its end, and with those that were idle for too long: it says why, and hangs up.
#[tokio::test]
async fn connections_that_the_database_ends_are_replaced_and_nobody_notices() {
    for kind in servers() {
        let database = Database::make(kind).await;
        let store = open(&database).await.unwrap();
        let service = sync(&store).await;
        let node = NewNode {
            url: "https://node1.test".to_owned(),
            capacity: 10,
            available: 10,
            ..NewNode::default()
        };
        store.add_node(service.id, &node).await.unwrap();
        let log_in = |generation| {
            let claims = (generation, 0, "");
            log_in(&store, &service, "a@accounts.test", 1000, claims)
        };
        let first = log_in(1).await.unwrap().unwrap();
        // To read, and to write.
        for generation in [1, 2] {
            match kind {
                Kind::Sqlite | Kind::Postgres => {
                    database
                        .script(
                            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                             WHERE datname = current_database() AND pid <> pg_backend_pid()",
                        )
                        .await;
                }
                Kind::MySql => {
                    let kills = database
                        .texts(
                            "SELECT CAST(CONCAT('KILL ', id) AS CHAR) FROM information_schema.processlist \
                             WHERE db = DATABASE() AND id <> CONNECTION_ID()",
                        )
                        .await;
                    for kill in kills {
                        database.script(&kill).await;
                    }
                }
            }
            let user = log_in(generation).await.unwrap().unwrap();
            assert_eq!(user.uid, first.uid, "{kind:?}");
        }
        store.close().await;
        database.remove().await;
    }
}

#[tokio::test]
async fn connections_that_a_database_ends_for_being_idle_are_replaced_and_nobody_notices() {
    for kind in servers() {
        if kind == Kind::MySql {
            // Only its whole server can be set so.
            continue;
        }
        let database = Database::make(kind).await;
        let set = format!(
            "ALTER DATABASE {} SET idle_session_timeout = '100ms'",
            database.name
        );
        database.script(&set).await;
        let store = open(&database).await.unwrap();
        let service = sync(&store).await;
        let node = NewNode {
            url: "https://node1.test".to_owned(),
            capacity: 10,
            available: 10,
            ..NewNode::default()
        };
        store.add_node(service.id, &node).await.unwrap();
        for generation in [1, 2, 2, 3] {
            let claims = (generation, 0, "");
            let user = log_in(&store, &service, "a@accounts.test", 1000, claims).await;
            user.unwrap().unwrap();
            until_nobody_is_connected(&database).await;
        }
        store.close().await;
        database.remove().await;
    }
}

async fn until_nobody_is_connected(database: &Database) {
    let gone = async {
        let others = "SELECT pid::text FROM pg_stat_activity \
                      WHERE datname = current_database() AND pid <> pg_backend_pid()";
        while !database.texts(others).await.is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let patience = Duration::from_secs(30);
    let waited = tokio::time::timeout(patience, gone).await;
    waited.expect("idle connections stay");
}
