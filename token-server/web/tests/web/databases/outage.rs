use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use token_server_web::store::{NewNode, StoreError};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::AbortHandle,
};

use super::{Database, Kind, log_in, open_at, sync};

/// A door between a server and its database.
struct Door {
    port: u16,
    open: Arc<AtomicBool>,
    connections: Arc<Mutex<Vec<AbortHandle>>>,
}

impl Door {
    async fn build(target: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let open = Arc::new(AtomicBool::new(true));
        let connections: Arc<Mutex<Vec<AbortHandle>>> = Arc::default();
        let (is_open, all) = (Arc::clone(&open), Arc::clone(&connections));
        tokio::spawn(async move {
            loop {
                let (mut client, _) = listener.accept().await.unwrap();
                if !is_open.load(Ordering::SeqCst) {
                    continue;
                }
                let target = target.clone();
                let connection = tokio::spawn(async move {
                    let mut server = TcpStream::connect(target).await.unwrap();
                    let _ = copy_bidirectional(&mut client, &mut server).await;
                });
                all.lock().unwrap().push(connection.abort_handle());
            }
        });
        Self {
            port,
            open,
            connections,
        }
    }

    fn close(&self) {
        self.open.store(false, Ordering::SeqCst);
        for connection in self.connections.lock().unwrap().drain(..) {
            connection.abort();
        }
    }

    fn open(&self) {
        self.open.store(true, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn a_database_that_comes_back_is_used_again_by_everybody_at_once() {
    for kind in Kind::wanted() {
        if kind == Kind::Sqlite {
            // A file doesn't go away.
            continue;
        }
        let database = Database::make(kind).await;
        let url = reqwest::Url::parse(&database.url).unwrap();
        let target = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap());
        let door = Door::build(target).await;
        let mut through = url.clone();
        through.set_host(Some("127.0.0.1")).unwrap();
        through.set_port(Some(door.port)).unwrap();
        let timeout = [("database.connection_timeout", "500ms")];
        let store = Arc::new(
            open_at(&database, through.as_str(), &timeout)
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

        door.close();
        for generation in [1, 2] {
            let patience = Duration::from_secs(30);
            let outcome = tokio::time::timeout(patience, log_in(generation)).await;
            let outcome = outcome.expect("it hangs");
            assert!(
                matches!(outcome, Err(StoreError::Unavailable(_))),
                "{kind:?}: {outcome:?}"
            );
        }

        door.open();
        for generation in 1..20 {
            let user = log_in(generation).await.unwrap().unwrap();
            assert_eq!(user.uid, first.uid, "{kind:?}");
        }
        // Idle connections broke meanwhile, and nobody notices.
        door.close();
        door.open();
        for generation in 20..40 {
            assert!(log_in(generation).await.is_ok(), "{kind:?}");
        }
        store.close().await;
        database.remove().await;
    }
}
