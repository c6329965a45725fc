use std::sync::Arc;

use token_server_web::store::{NewNode, Seeded, Store};
use tokio::task::JoinSet;

use super::{Database, Kind, log_in, open};

fn node(url: &str) -> NewNode {
    NewNode {
        url: url.to_owned(),
        capacity: 100,
        available: 10,
        ..NewNode::default()
    }
}

async fn seed(store: &Store, service: &str, url: &str) -> Seeded {
    let seeded = store.seed(service, "{node}/{uid}", &node(url)).await;
    seeded.unwrap()
}

#[tokio::test]
async fn a_service_gets_its_first_node_and_its_row_but_no_second_one() {
    const ONE: &str = "https://one.test";
    for kind in Kind::wanted() {
        let database = Database::make(kind).await;
        let store = open(&database).await.unwrap();
        assert_eq!(seed(&store, "sync-1.5", ONE).await, Seeded::Added);
        assert_eq!(seed(&store, "sync-1.5", ONE).await, Seeded::Known);
        let other = seed(&store, "sync-1.5", "https://two.test").await;
        assert_eq!(other, Seeded::HasOthers, "{kind:?}");
        assert_eq!(seed(&store, "notes-1", ONE).await, Seeded::Added);

        let sync = store.service("sync-1.5").await.unwrap().unwrap();
        assert_eq!(sync.pattern, "{node}/1.5/{uid}", "{kind:?}: it stays");
        let notes = store.service("notes-1").await.unwrap().unwrap();
        assert_eq!(notes.pattern, "{node}/{uid}", "{kind:?}");
        let user = log_in(&store, &notes, "a@x.test", 1000, (1, 1, "aaaa")).await;
        assert_eq!(user.unwrap().unwrap().node, ONE, "{kind:?}");
        assert_eq!(database.number("COUNT(*)", "FROM nodes").await, 2);
        store.close().await;
        database.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_servers_that_start_at_once_one_adds_the_node() {
    for kind in Kind::wanted() {
        let database = Database::make(kind).await;
        let stores = [
            Arc::new(open(&database).await.unwrap()),
            Arc::new(open(&database).await.unwrap()),
        ];
        let mut starts = JoinSet::new();
        for number in 0..16 {
            let store = Arc::clone(&stores[number % 2]);
            // Even servers that were set up differently agree on one.
            let url = format!("https://node{}.test", number % 3);
            starts.spawn(async move { seed(&store, "notes-1", &url).await });
        }
        let seeded = starts.join_all().await;
        let added = seeded.iter().filter(|seeded| **seeded == Seeded::Added);
        assert_eq!(added.count(), 1, "{kind:?}: {seeded:?}");
        assert_eq!(database.number("COUNT(*)", "FROM nodes").await, 1);
        let rows = "FROM services WHERE service = 'notes-1'";
        assert_eq!(database.number("COUNT(*)", rows).await, 1, "{kind:?}");
        for store in stores {
            store.close().await;
        }
        database.remove().await;
    }
}
