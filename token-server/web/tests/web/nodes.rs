use std::{path::Path, sync::Arc};

use sqlx::{Connection, SqliteConnection, sqlite::SqliteConnectOptions};
use tempfile::{TempDir, tempdir};
use token_server_web::{
    store::{Login, NewNode, Service, Store, StoreError, User},
    users::Claims,
};
use tokio::task::JoinSet;

use crate::store;

/// A new database, its service, and a second connection as an operator's script would have it.
pub(crate) struct Tables {
    pub(crate) store: Arc<Store>,
    pub(crate) service: Arc<Service>,
    pub(crate) script: SqliteConnection,
    pub(crate) directory: TempDir,
}

impl Tables {
    pub(crate) async fn new() -> Self {
        let directory = tempdir().unwrap();
        let store = Arc::new(store(directory.path()).await);
        let service = store.service("sync-1.5").await.unwrap().unwrap();
        Self {
            store,
            service,
            script: connect(directory.path()).await,
            directory,
        }
    }

    pub(crate) async fn with_node() -> Self {
        let tables = Self::new().await;
        tables.add_node("https://node1.test", 100, 100).await;
        tables
    }

    pub(crate) async fn add_node(&self, url: &str, capacity: i64, available: i64) {
        let node = NewNode {
            url: url.to_owned(),
            capacity,
            available,
            ..NewNode::default()
        };
        self.store.add_node(self.service.id, &node).await.unwrap();
    }

    pub(crate) async fn execute(&mut self, statement: &'static str) -> u64 {
        let done = sqlx::raw_sql(statement).execute(&mut self.script).await;
        done.unwrap().rows_affected()
    }

    pub(crate) async fn number(&mut self, query: &'static str) -> i64 {
        sqlx::query_scalar(query)
            .fetch_one(&mut self.script)
            .await
            .unwrap()
    }

    async fn first_login(&self, email: &str) -> Result<User, StoreError> {
        first_login(&self.store, &self.service, email).await
    }
}

async fn first_login(store: &Store, service: &Service, email: &str) -> Result<User, StoreError> {
    let login = Login {
        service,
        email,
        claims: Claims {
            generation: 0,
            keys_changed_at: 0,
            client_state: "",
        },
        now_ms: 1_000,
        allow_new: true,
    };
    Ok(store.log_in(&login).await?.expect("a new user is let in"))
}

async fn connect(directory: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(directory.join("users.db"));
    SqliteConnection::connect_with(&options).await.unwrap()
}

#[tokio::test]
async fn nodes_that_are_down_full_or_backing_off_take_nobody() {
    let mut tables = Tables::new().await;
    for url in [
        "https://down.test",
        "https://backoff.test",
        "https://full.test",
    ] {
        tables.add_node(url, 100, 100).await;
    }
    tables
        .execute("UPDATE nodes SET downed = 1 WHERE node = 'https://down.test'")
        .await;
    tables
        .execute("UPDATE nodes SET backoff = 1 WHERE node = 'https://backoff.test'")
        .await;
    tables
        .execute("UPDATE nodes SET current_load = 100 WHERE node = 'https://full.test'")
        .await;
    let outcome = tables.first_login("a@x.test").await;
    assert!(matches!(outcome, Err(StoreError::NoNode)), "{outcome:?}");
    assert_eq!(tables.number("SELECT count(*) FROM users").await, 0);
}

#[tokio::test]
async fn nodes_of_other_services_take_nobody() {
    let mut tables = Tables::new().await;
    tables
        .execute("INSERT INTO services (service, pattern) VALUES ('other-1.0', '{node}')")
        .await;
    tables
        .execute(
            "INSERT INTO nodes (service, node, available, current_load, capacity, downed, backoff) \
         VALUES (2, 'https://other.test', 10, 0, 10, 0, 0)",
        )
        .await;
    let outcome = tables.first_login("a@x.test").await;
    assert!(matches!(outcome, Err(StoreError::NoNode)), "{outcome:?}");
}

#[tokio::test]
async fn users_who_come_at_once_are_counted_one_by_one() {
    let mut tables = Tables::with_node().await;
    let emails: Vec<String> = (0..50).map(|number| format!("{number}@x.test")).collect();
    let mut logins = JoinSet::new();
    for email in emails {
        let (store, service) = (Arc::clone(&tables.store), Arc::clone(&tables.service));
        logins.spawn(async move { first_login(&store, &service, &email).await });
    }
    let users = logins.join_all().await;
    let mut uids: Vec<i64> = users.into_iter().map(|user| user.unwrap().uid).collect();
    uids.sort_unstable();
    uids.dedup();
    assert_eq!(uids.len(), 50, "every user has a number of their own");
    let query = "SELECT current_load * 1000 + available FROM nodes";
    assert_eq!(tables.number(query).await, 50 * 1000 + 50);
}
