use std::{sync::Arc, time::Duration};

use token_server_web::store::{NewNode, StoreError};

use super::{
    Database, Kind, log_in, open_at,
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
