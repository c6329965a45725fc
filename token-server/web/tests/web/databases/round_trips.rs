use std::time::Instant;

use token_server_web::store::NewNode;

use super::{Database, Kind, log_in, open_at, relay::Relay, sync};

#[tokio::test]
async fn the_login_of_a_known_account_is_one_round_trip() {
    const LOGINS: usize = 60;
    for kind in Kind::wanted() {
        if kind == Kind::Sqlite {
            // No way leads to a file.
            continue;
        }
        let database = Database::make(kind).await;
        let relay = Relay::to(&database.url).await;
        let store = open_at(&database, &relay.url(&database.url), &[])
            .await
            .unwrap();
        let service = sync(&store).await;
        let node = NewNode {
            url: "https://node1.test".to_owned(),
            capacity: 10,
            available: 10,
            ..NewNode::default()
        };
        store.add_node(service.id, &node).await.unwrap();
        let known = || log_in(&store, &service, "a@accounts.test", 1000, (1, 0, ""));
        let first = known().await.unwrap().unwrap();
        // The statement is prepared, too.
        known().await.unwrap().unwrap();

        let (before, began) = (relay.requests(), Instant::now());
        for _ in 0..LOGINS {
            assert_eq!(known().await.unwrap().unwrap(), first);
        }
        let requests = relay.requests() - before;
        // Once in a second a connection is asked whether it lives, and others may be prepared for use in its place.
        let others = 6 + 4 * began.elapsed().as_secs() as usize;
        assert!(
            (LOGINS..=LOGINS + others).contains(&requests),
            "{kind:?}: {requests} requests"
        );
        store.close().await;
        database.remove().await;
    }
}
